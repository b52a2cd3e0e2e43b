//! The evil coordinator: it holds the stolen authority and genuine orders, and speaks to the real agent of a simulated host.

use crate::line::{Line, SERVER_NAME};
use crate::proof;
use crate::release::{self, Person, Release};
use crate::server::{EvilServer, welcome};
use crate::stage::{Attack, Ground, LIMIT, Stage, TRACE_LIMIT};
use crate::verdict::Told;
use crate::wire::{Authority, HOUR_SECS, Identity, Says};
use anyhow::{Context, Result, bail, ensure};
use esxcli::Formatter;
use model::{ApproverRotation, ApproverSet, DesiredNetwork};
use proto::v1;
use proto::v1::agent_message::Message as FromAgent;
use proto::v1::coordinator_message::Message;
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};
use simulator::HostDir;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tests::lab::story::Story;
use tests::lab::wait_for;

/// Longest wait for an answer of the agent.
const ANSWER: Duration = Duration::from_secs(30);

/// What an evil coordinator has.
pub struct Inside {
    /// The lab; its own coordinator does not run.
    pub stage: Stage,
    /// The coordinator's authority, stolen.
    pub authority: Authority,
    server: Option<EvilServer>,
    /// The host under attack.
    /// The host under attack.
    pub target: String,
    /// A genuine order for it, as the real coordinator sent it.
    genuine: Value,
    /// The generation that the host has committed.
    pub committed: u64,
    /// The order that the host took, as it was offered.
    done: Option<v1::OrderOffer>,
    /// The newest generation that was used.
    generation: u64,
    /// Attacks so far: every order gets a change of its own.
    count: u32,
}

impl Ground for Inside {
    fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }
}

/// Everything an evil coordinator tries.
pub const ATTACKS: &[Attack<Inside>] = &[
    Attack { name: "coordinator_older_generation", expected: &["older_generation"], run: older_generation },
    Attack {
        name: "coordinator_same_generation_other_content",
        expected: &["content_differs"],
        run: other_content,
    },
    Attack { name: "coordinator_order_of_another_host", expected: &["wrong_host"], run: other_host },
    Attack { name: "coordinator_unknown_field", expected: &["malformed"], run: unknown_field },
    Attack { name: "coordinator_missing_field", expected: &["malformed"], run: missing_field },
    Attack { name: "coordinator_field_twice", expected: &["malformed"], run: field_twice },
    Attack { name: "coordinator_window_too_short", expected: &["malformed"], run: window_short },
    Attack { name: "coordinator_window_too_long", expected: &["malformed"], run: window_long },
    Attack { name: "coordinator_bytes_after_the_order", expected: &["unreadable_order"], run: trailing },
    Attack { name: "coordinator_order_is_garbage", expected: &["unreadable_order"], run: garbage },
    Attack { name: "coordinator_other_content_than_planned", expected: &["plan_changed"], run: plan_changed },
    Attack {
        name: "coordinator_more_traffic_lost_than_allowed",
        expected: &["too_disruptive"],
        run: disruptive,
    },
    Attack {
        name: "coordinator_management_adapter_removed",
        expected: &["not_plannable", "unsafe"],
        run: no_management,
    },
    Attack { name: "coordinator_impossible_desired", expected: &["malformed"], run: impossible },
    Attack { name: "coordinator_empty_message", expected: &["message_left_out"], run: empty_message },
    Attack { name: "coordinator_ping_as_a_weapon", expected: &["message_left_out"], run: ping_weapon },
    Attack { name: "coordinator_oversized_order", expected: &["stream_ended"], run: oversized },
    Attack { name: "coordinator_order_before_welcome", expected: &["no_welcome"], run: order_first },
    Attack { name: "coordinator_foreign_authority", expected: &["tls"], run: foreign_authority },
    Attack { name: "coordinator_other_name", expected: &["tls"], run: other_name },
    Attack { name: "coordinator_expired_certificate", expected: &["tls"], run: expired },
    Attack { name: "coordinator_host_certificate_as_server", expected: &["tls"], run: host_as_server },
];

/// Those that need an order that the host took.
pub const AFTER_AN_ORDER: &[Attack<Inside>] = &[
    Attack {
        name: "coordinator_replay_of_a_done_order",
        expected: &["answered_as_done", "unproven.parent_differs"],
        run: replay,
    },
    Attack {
        name: "coordinator_replay_with_other_content",
        expected: &["content_differs"],
        run: replay_changed,
    },
    Attack {
        name: "coordinator_rollback_to_an_older_order",
        expected: &["older_generation"],
        run: roll_back,
    },
];

impl Inside {
    /// Merges a change, takes the order of whichever host gets the first one with stolen host keys, then takes the
    /// coordinator's place.
    pub fn new(mut stage: Stage) -> Result<Self> {
        for name in stage.names.clone() {
            if !stage.lab.agents.has_ended(&name)? {
                stage.lab.agents.kill(&name)?;
            }
        }
        let authority = Authority::stolen(&stage.lab.root().join("state").join("ca"))?;
        let (target, genuine) = intercept(&stage, &authority).context("no genuine order was sent")?;
        stage.lab.kill_coordinator()?;
        let generation = genuine["generation"].as_u64().context("an order without generation")?;
        let (server, done, count) = (None, None, 0);
        // The import was the first change of all.
        let committed = 1;
        let mut this = Self { stage, authority, server, target, genuine, committed, done, generation, count };
        this.pin()?;
        this.serve(welcome())?;
        let target = this.target.clone();
        this.stage.lab.agents.start(&target)?;
        Ok(this)
    }

    /// Gives the host approvers of ours and the thief's order key: the attacks have the keys to both.
    fn pin(&self) -> Result<()> {
        std::fs::write(self.state().join("order-key"), release::order_key_text()?)?;
        self.pin_set(&release::approvers(1, &proof::PEOPLE)?)
    }

    /// What a person at the console of the host pins.
    pub fn pin_set(&self, set: &ApproverSet) -> Result<()> {
        Ok(std::fs::write(self.set_file(), serde_json::to_vec(set)?)?)
    }

    /// Where the host keeps its approver set.
    pub fn set_file(&self) -> PathBuf {
        self.state().join("approvers.json")
    }

    fn state(&self) -> PathBuf {
        self.stage.lab.root().join("agents").join(&self.target).join("state")
    }

    /// The attacks that come first must not use up the generation of the genuine order.
    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// Takes the coordinator's place anew, under its name.
    pub fn serve(&mut self, first: Message) -> Result<()> {
        let identity = self.authority.issue(&Says::server(SERVER_NAME))?;
        self.serve_as(&identity, first)
    }

    fn serve_as(&mut self, identity: &Identity, first: Message) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop();
        }
        let port = self.stage.lab.agent_port();
        self.server = Some(EvilServer::start(port, &self.authority.certificate, identity, first)?);
        Ok(())
    }

    /// The evil coordinator.
    pub fn server(&mut self) -> Result<&mut EvilServer> {
        self.server.as_mut().context("the evil coordinator does not run")
    }

    /// What the agent's own log says from here on.
    pub fn log_mark(&self) -> Result<usize> {
        Ok(self.log()?.len())
    }

    fn log(&self) -> Result<String> {
        let path = self.stage.lab.root().join("log").join(format!("agent-{}.log", self.target));
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until the agent's log says one of these groups of words in one line after the mark.
    pub fn logged(&self, mark: usize, groups: &[&[&str]]) -> Result<String> {
        wait_for(TRACE_LIMIT, &format!("{groups:?} in the agent's log"), || {
            let log = self.log()?;
            let new = log.get(mark..).unwrap_or_default();
            let says = |line: &str| groups.iter().any(|words| words.iter().all(|word| line.contains(word)));
            Ok(new.lines().any(says).then(|| "the agent's log".to_owned()))
        })
    }

    /// A genuine order with another change, and a generation that the host has not seen.
    pub fn order(&mut self) -> Value {
        let mut order = self.genuine.clone();
        order["change"] = self.next_change().into();
        order["generation"] = self.next_generation().into();
        order
    }

    fn next_change(&mut self) -> String {
        self.count += 1;
        format!("attack-{}", self.count)
    }

    /// Offers bytes under the thief's seal, with what else the real coordinator would send.
    fn offer(&mut self, order_json: Vec<u8>) -> Result<()> {
        let mut release =
            Release::of(&self.genuine, self.committed, 0)?.signed(&[Person::Ann, Person::Bob])?;
        release.order_json = order_json;
        let offer = release.sealed()?;
        self.server()?.say(Some(Message::Order(offer)), ANSWER)
    }

    /// Puts the digest of the true plan into an order, as a coordinator that lies about nothing else would.
    fn plan(&self, order: &mut Value) -> Result<()> {
        let mut host = HostDir::new(self.stage.lab.host_dir(&self.target)).load()?;
        let (observed, _) = tests::host::observe(&mut host, Formatter::Xml)?;
        let desired: DesiredNetwork = serde_json::from_value(order["desired"].clone())?;
        order["plan_digest"] = serde_json::to_value(engine::plan::plan(&desired, &observed).plan.digest)?;
        Ok(())
    }

    /// Sends an order and waits for what the host says of it. Whatever can be approved is: the approvers were deceived.
    fn give(&mut self, order: &Value) -> Result<Told> {
        match Release::of(order, self.committed, 0) {
            Ok(release) => {
                let offer = release.signed(&[Person::Ann, Person::Bob])?.sealed()?;
                self.give_offer(offer, order)
            }
            Err(_) => {
                self.give_bytes(serde_json::to_vec(order)?, order["change"].as_str().unwrap_or_default())
            }
        }
    }

    /// Sends an offer and waits for what the host says of it.
    pub fn give_offer(&mut self, offer: v1::OrderOffer, order: &Value) -> Result<Told> {
        let mark = self.log_mark()?;
        self.server()?.say(Some(Message::Order(offer)), ANSWER)?;
        self.refusal(mark, order["change"].as_str().unwrap_or_default())
    }

    fn give_bytes(&mut self, order_json: Vec<u8>, change: &str) -> Result<Told> {
        let mark = self.log_mark()?;
        self.offer(order_json)?;
        self.refusal(mark, change)
    }

    /// What the host says of a change, and where that can be read.
    fn refusal(&mut self, mark: usize, change: &str) -> Result<Told> {
        let outcome = self.outcome(change)?;
        let kind = match &outcome["kind"]["refused"] {
            Value::String(kind) => kind.clone(),
            Value::Object(kinds) => match kinds.get("unproven") {
                Some(unproven) => format!("unproven.{}", unproven["kind"].as_str().unwrap_or_default()),
                None => kinds.keys().next().cloned().unwrap_or_default(),
            },
            _ => return Ok(Told { refused: None, audited: Some(outcome.to_string()) }),
        };
        let place =
            self.logged(mark, &[&[change, "refused"], &["order refused"], &[change, "not proven"]])?;
        Ok(Told::refused(kind, format!("{place}, and a receipt of the host")))
    }

    /// Offers another approver set.
    pub fn rotate(&mut self, rotation: &ApproverRotation) -> Result<Told> {
        let mark = self.log_mark()?;
        let rotation_json = serde_json::to_vec(rotation)?;
        let server = self.server()?;
        server.say(Some(Message::ApproverSetOffer(v1::ApproverSetOffer { rotation_json })), ANSWER)?;
        let answer = server.hear(ANSWER, |message| match message.message? {
            FromAgent::ApproverSetAck(answer) => Some(answer),
            _ => None,
        });
        let answer = answer.context("the host said nothing of the approver set")?;
        if answer.refused.is_empty() {
            return Ok(Told::default());
        }
        let place = self.logged(mark, &[&["an approver set was refused"]])?;
        Ok(Told::refused("rotation_refused", place))
    }

    /// Waits for the outcome of a change, with a receipt of the host under attack.
    fn outcome(&mut self, change: &str) -> Result<Value> {
        let server = self.server()?;
        let found = server.hear(ANSWER, |message| {
            let FromAgent::Outcome(outcome) = message.message? else { return None };
            let told: Value = serde_json::from_slice(&outcome.outcome_json).ok()?;
            (told["change"] == change).then_some((outcome, told))
        });
        let (outcome, told) = found.context("the host said nothing of the order")?;
        ensure!(!outcome.receipt.is_empty(), "the host did not sign what it says");
        let generation = told["generation"].as_u64().unwrap_or_default();
        let ack = v1::OutcomeAck { change_id: change.to_owned(), generation };
        server.say(Some(Message::OutcomeAck(ack)), ANSWER)?;
        Ok(told)
    }

    /// Says something that the agent must leave out, and goes on with its stream.
    fn left_out(&mut self, message: Option<Message>) -> Result<Told> {
        let mark = self.log_mark()?;
        self.server()?.say(message, ANSWER)?;
        let place = self.logged(mark, &[&["left out"]])?;
        Ok(Told::refused("message_left_out", place))
    }

    /// Takes the coordinator's place with this certificate: no stream may come about.
    fn impostor(&mut self, identity: &Identity) -> Result<Told> {
        let mark = self.log_mark()?;
        self.serve_as(identity, welcome())?;
        let place = self.logged(mark, &[&["cannot be reached"]])?;
        let sessions = self.server()?.sessions();
        self.serve(welcome())?;
        self.wait_stream()?;
        Ok(if sessions == 0 { Told::refused("tls", place) } else { Told::default() })
    }

    /// Waits until the agent has a stream to the evil coordinator.
    pub fn wait_stream(&mut self) -> Result<()> {
        let server = self.server.as_ref().context("the evil coordinator does not run")?;
        wait_for(LIMIT, "the agent's stream", || Ok((server.sessions() > 0).then_some(())))
    }

    /// The genuine order: the host takes it, or every refusal before proves nothing.
    pub fn control(&mut self) -> Result<bool> {
        let before = self.stage.writes()?;
        let mut order = self.genuine.clone();
        order["generation"] = self.next_generation().into();
        self.genuine = order.clone();
        let offer = Release::of(&order, self.committed, 0)?.signed(&[Person::Ann, Person::Bob])?.sealed()?;
        self.server()?.say(Some(Message::Order(offer.clone())), ANSWER)?;
        let change = order["change"].as_str().unwrap_or_default().to_owned();
        let outcome = self.outcome(&change)?;
        let confirmed = self.server()?.confirms() > 0;
        (self.done, self.committed) = (Some(offer), self.generation);
        Ok(outcome["kind"] == "committed" && confirmed && self.stage.writes()? > before)
    }
}

/// The first order that the real coordinator sends to any host.
fn intercept(stage: &Stage, authority: &Authority) -> Result<(String, Value)> {
    let address = SocketAddr::from(([127, 0, 0, 1], stage.lab.agent_port()));
    let commit = Story::backup_network().merge(&stage.lab)?;
    stage.lab.operate(&["sync"])?;
    stage.lab.wait_accepted(&commit, LIMIT)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut waiting = tokio::task::JoinSet::new();
        for name in stage.names.clone() {
            let folder = stage.lab.root().join("agents").join(&name);
            let stolen = Identity::stolen(&folder.join("host.pem"), &folder.join("host.key"))?;
            let mut line = Line::dial(address, &authority.certificate, Some(&stolen)).await?;
            line.open(crate::agent::hello_of(&name)?).await?;
            waiting.spawn(async move {
                loop {
                    let message = line.next().await?;
                    if let Some(Message::Order(offer)) = message.message {
                        let order: Value = serde_json::from_slice(&offer.order_json)?;
                        return anyhow::Ok((name, order));
                    }
                }
            });
        }
        while let Some(ended) = waiting.join_next().await {
            if let Ok(Ok(found)) = ended {
                return Ok(found);
            }
        }
        bail!("no host got an order")
    })
}

fn older_generation(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["generation"] = 0.into();
    at.give(&order)
}

/// The import was generation 1: the same number with other content.
fn other_content(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["generation"] = 1.into();
    at.give(&order)
}

fn other_host(at: &mut Inside) -> Result<Told> {
    let other = at.stage.names.iter().find(|name| **name != at.target).context("one host only")?.clone();
    let mut order = at.order();
    order["host"] = other.into();
    at.give(&order)
}

fn unknown_field(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["run_before"] = "reboot".into();
    at.give(&order)
}

fn missing_field(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order.as_object_mut().context("no object")?.remove("plan_digest");
    at.give(&order)
}

fn field_twice(at: &mut Inside) -> Result<Told> {
    let order = at.order();
    let change = order["change"].as_str().unwrap_or_default().to_owned();
    let text = serde_json::to_string(&order)?;
    let twice =
        format!("{},\"host\":{}}}", text.trim_end_matches('}').to_owned() + &closing(&text), order["host"]);
    at.give_bytes(twice.into_bytes(), &change)
}

/// The braces that belong to inner objects at the end of a text.
fn closing(text: &str) -> String {
    let braces = text.len() - text.trim_end_matches('}').len();
    "}".repeat(braces.saturating_sub(1))
}

fn window_short(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["confirm_timeout"] = 1_000.into();
    at.give(&order)
}

fn window_long(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["confirm_timeout"] = 86_400_000.into();
    at.give(&order)
}

/// Bytes that do not even tell which change they are about: the agent's log has it.
fn unreadable(at: &mut Inside, bytes: Vec<u8>) -> Result<Told> {
    let mark = at.log_mark()?;
    at.offer(bytes)?;
    let place = at.logged(mark, &[&["order refused"]])?;
    Ok(Told::refused("unreadable_order", place))
}

fn trailing(at: &mut Inside) -> Result<Told> {
    let mut bytes = serde_json::to_vec(&at.order())?;
    bytes.extend(b"{}");
    unreadable(at, bytes)
}

fn garbage(at: &mut Inside) -> Result<Told> {
    unreadable(at, vec![0xff, 0xfe, 0x00, 0x7b])
}

/// What was approved is one thing, what is ordered another: the host's own plan differs.
fn plan_changed(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["desired"]["port_groups"]["Backup 114"]["vlan"] = 666.into();
    at.give(&order)
}

fn disruptive(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["disruption_allowed"] = "none".into();
    at.give(&order)
}

fn no_management(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["desired"] = json!({ "vmkernels": { "vmk0": { "absent": true } } });
    order["disruption_allowed"] = "management_path".into();
    at.plan(&mut order)?;
    at.give(&order)
}

fn impossible(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["desired"]["port_groups"]["Backup 114"]["vlan"] = 70_000.into();
    at.give(&order)
}

fn empty_message(at: &mut Inside) -> Result<Told> {
    at.left_out(None)
}

fn ping_weapon(at: &mut Inside) -> Result<Told> {
    let ping = v1::PingRequest {
        request_id: 1,
        vmk: "vmk0".to_owned(),
        netstack: "defaultTcpipStack".to_owned(),
        target: "10.0.0.1".to_owned(),
        size: 65_000,
        count: u32::MAX,
    };
    at.left_out(Some(Message::PingRequest(ping)))
}

fn oversized(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["commit"] = "x".repeat(16 * proto::MESSAGE_BYTES_MAX).into();
    let mark = at.log_mark()?;
    at.offer(serde_json::to_vec(&order)?)?;
    let place = at.logged(mark, &[&["no stream to the coordinator"]])?;
    at.serve(welcome())?;
    at.wait_stream()?;
    Ok(Told::refused("stream_ended", place))
}

fn order_first(at: &mut Inside) -> Result<Told> {
    let order = at.order();
    let offer = Release::of(&order, at.committed, 0)?.signed(&[Person::Ann, Person::Bob])?.sealed()?;
    let mark = at.log_mark()?;
    at.serve(Message::Order(offer))?;
    let place = at.logged(mark, &[&["did not begin with a welcome"]])?;
    at.serve(welcome())?;
    at.wait_stream()?;
    Ok(Told::refused("no_welcome", place))
}

fn foreign_authority(at: &mut Inside) -> Result<Told> {
    let identity = Authority::forged()?.issue(&Says::server(SERVER_NAME))?;
    at.impostor(&identity)
}

fn other_name(at: &mut Inside) -> Result<Told> {
    let identity = at.authority.issue(&Says::server("evil.example"))?;
    at.impostor(&identity)
}

fn expired(at: &mut Inside) -> Result<Told> {
    let identity = at.authority.issue(&Says { ends_in_secs: -5 * HOUR_SECS, ..Says::server(SERVER_NAME) })?;
    at.impostor(&identity)
}

fn host_as_server(at: &mut Inside) -> Result<Told> {
    let says = Says { usage: ExtendedKeyUsagePurpose::ClientAuth, ..Says::server(SERVER_NAME) };
    let identity = at.authority.issue(&says)?;
    at.impostor(&identity)
}

/// An order that was done, exactly as it was: nothing is done again.
fn replay(at: &mut Inside) -> Result<Told> {
    let offer = at.done.clone().context("no order was taken")?;
    let genuine = at.genuine.clone();
    let mark = at.log_mark()?;
    let told = at.give_offer(offer, &genuine)?;
    if told.refused.is_some() {
        return Ok(told);
    }
    let change = genuine["change"].as_str().unwrap_or_default().to_owned();
    let place = at.logged(mark, &[&["order ended", &change]])?;
    let done = told.audited.is_some_and(|outcome| outcome.contains("committed"));
    Ok(if done { Told::refused("answered_as_done", place) } else { Told::default() })
}

fn replay_changed(at: &mut Inside) -> Result<Told> {
    let mut order = at.genuine.clone();
    order["change"] = at.next_change().into();
    order["desired"]["port_groups"]["Backup 114"]["vlan"] = 117.into();
    at.give(&order)
}

fn roll_back(at: &mut Inside) -> Result<Told> {
    let mut order = at.order();
    order["generation"] = 2.into();
    order["desired"]["port_groups"] = json!({});
    at.give(&order)
}
