//! Attacks on identities: enrolment, renewal, recovery, revocation, copies, floods; and a coordinator that hands out bad
//! certificates. The hosts that are made up for it exist in the coordinator's database only.

use crate::agent::{NOBODY, Outside, confirm, hello, hello_of, wire};
use crate::coordinator::Inside;
use crate::line::{Line, Refused};
use crate::server::welcome;
use crate::stage::{Attack, LIMIT};
use crate::verdict::Told;
use crate::wire::{self as tls, HOUR_SECS, Identity, Says};
use anyhow::{Context, Result, bail, ensure};
use model::{ApplyPhase, Generation};
use proto::convert::{EnrolReply, FromAgent, HeartbeatReport};
use proto::v1;
use rcgen::{CertificateParams, KeyPair};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::lab::wait_for;

/// A stream must end within this time after its host was revoked.
const REVOKED_WITHIN: Duration = Duration::from_secs(5);
/// More messages than a host may send at once.
const FLOOD_MESSAGES: u64 = 3_000;
/// More enrolments than may be under way at once: lines, and enrolments on each.
const STORM_LINES: usize = 24;
const STORM_ENROLMENTS: usize = 20;
/// Certificates in a chain that no host has.
const LONG_CHAIN: usize = 7;
/// Two machines.
const MACHINE: &str = "4c4c4544-0044-3510-8052-b4c04f4e4d32";
const OTHER_MACHINE: &str = "4c4c4544-0044-3510-8052-b4c04f4e4d33";

/// Everything that is tried from outside.
pub const ATTACKS: &[Attack<Outside>] = &[
    Attack { name: "agent_revoked_stream", expected: &["refused.revoked"], run: revoked_stream },
    Attack { name: "agent_revoked_calls", expected: &["refused.revoked"], run: revoked_calls },
    Attack { name: "agent_revoked_ticket", expected: &["refused.revoked"], run: revoked_ticket },
    Attack { name: "agent_revoked_recovers", expected: &["refused.revoked"], run: revoked_recovers },
    Attack { name: "agent_quarantined_stream", expected: &["refused.quarantined"], run: quarantined },
    Attack { name: "agent_recovery_other_key", expected: &["refused.recovery"], run: recovery_other_key },
    Attack { name: "agent_recovery_other_line", expected: &["refused.recovery"], run: recovery_other_line },
    Attack { name: "agent_recovery_answer_twice", expected: &["refused.recovery"], run: recovery_twice },
    Attack { name: "agent_recovery_old_count", expected: &["host.quarantined"], run: recovery_old_count },
    Attack { name: "agent_key_of_the_thief", expected: &["refused.other_key"], run: forged_key },
    Attack { name: "agent_host_of_the_thief", expected: &["refused.unknown_host"], run: forged_host },
    Attack { name: "agent_certificate_ends_on_line", expected: &["refused.expired"], run: ends_on_line },
    Attack { name: "agent_long_chain", expected: &["refused.identity"], run: long_chain },
    Attack { name: "agent_renewal_other_key", expected: &["refused.renewal"], run: renewal_other_key },
    Attack { name: "agent_renewal_anonymous", expected: &["refused.no_certificate"], run: renewal_anonymous },
    Attack { name: "agent_moves_to_another_machine", expected: &["host.quarantined"], run: moves },
    Attack { name: "agent_second_host_on_a_machine", expected: &["refused.machine"], run: one_machine },
    Attack { name: "agent_token_expired", expected: &["refused.token"], run: token_expired },
    Attack { name: "agent_token_of_another_machine", expected: &["refused.token"], run: token_of_machine },
    Attack { name: "agent_token_second_key", expected: &["refused.token"], run: token_second_key },
    Attack { name: "agent_enrolment_denied", expected: &["refused.denied"], run: denied },
    Attack { name: "agent_call_that_is_none", expected: &["refused.unknown_call"], run: unknown_call },
    Attack { name: "agent_undecodable_call", expected: &["refused.message"], run: undecodable },
    Attack { name: "agent_oversized_enrolment", expected: &["refused.too_large"], run: oversized },
    Attack { name: "agent_flood", expected: &["refused.flooding"], run: flood },
    Attack { name: "agent_enrolment_storm", expected: &["refused.crowded"], run: storm },
];

/// What a coordinator tries with certificates.
pub const OF_THE_COORDINATOR: &[Attack<Inside>] = &[
    Attack { name: "coordinator_certificate_other_key", expected: &["not_taken"], run: given_other_key },
    Attack { name: "coordinator_certificate_for_years", expected: &["not_taken"], run: given_for_years },
    Attack { name: "coordinator_certificate_is_none", expected: &["not_taken"], run: given_nothing },
    Attack { name: "coordinator_counts_recoveries", expected: &["not_taken"], run: given_count },
];

fn request(key: &KeyPair) -> Result<String> {
    Ok(CertificateParams::default().serialize_request(key)?.pem()?)
}

fn question(host: &str, token: &str, key: &KeyPair, machine: &str) -> Result<v1::EnrolRequest> {
    Ok(v1::EnrolRequest {
        token: token.to_owned(),
        host_id: host.to_owned(),
        csr_pem: request(key)?,
        system_uuid: machine.to_owned(),
    })
}

impl Outside {
    /// A host that is let in, with a key of ours.
    fn newcomer(&mut self, name: &str, machine: &str) -> Result<Identity> {
        let token = self.stage.lab.token_for(name)?;
        let key = KeyPair::generate()?;
        let asked = question(name, &token, &key, machine)?;
        match self.wait(async |this| this.dial(None).await?.enrol(asked).await)? {
            EnrolReply::Certified(answer) => Identity::certified(&answer.certificate_pem, &key),
            EnrolReply::Pending { .. } => bail!("{name} was not let in"),
        }
    }

    fn decide(&self, verb: &str, name: &str) -> Result<()> {
        self.stage.lab.operate(&["host", verb, name, "--reason", "an attack"]).map(|_| ())
    }

    fn revoked(&mut self, name: &str) -> Result<Identity> {
        let identity = self.newcomer(name, "")?;
        self.decide("revoke", name)?;
        Ok(identity)
    }

    /// A stream that was welcomed.
    async fn welcomed(&self, name: &str, identity: &Identity) -> Result<Line> {
        let mut line = self.dial(Some(identity)).await?;
        line.open(hello_of(name)?).await?;
        line.next().await?;
        Ok(line)
    }

    fn opens(&mut self, action: &str, name: &str, identity: &Identity) -> Result<Told> {
        let first = hello_of(name)?;
        self.attempt(&[action], async |this| this.dial(Some(identity)).await?.try_open(first).await)
    }

    fn enrols(&mut self, action: &str, asked: v1::EnrolRequest) -> Result<Told> {
        self.attempt(&[action], async |this| this.dial(None).await?.try_enrol(asked).await)
    }
}

fn recovery(host: &str, csr_pem: String, join_count: u64, join_id: &str) -> v1::RecoverRequest {
    let (host_id, join_id) = (host.to_owned(), join_id.to_owned());
    v1::RecoverRequest { host_id, csr_pem, join_count, join_id, system_uuid: String::new() }
}

/// Asks for a challenge and answers it with this key.
async fn recovers(line: &mut Line, host: &str, with: &Identity, join_id: &str) -> Result<Refused> {
    let challenge = line.challenge(host).await?;
    line.try_recover(recovery(host, with.request(&challenge)?, 0, join_id)).await
}

fn revoked_stream(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-01", "")?;
    at.attempt(&["refused.revoked"], async |this| {
        let mut line = this.welcomed("evil-01", &identity).await?;
        this.decide("revoke", "evil-01")?;
        let began = Instant::now();
        let refused = line.ended().await?;
        ensure!(began.elapsed() <= REVOKED_WITHIN, "the stream lived for {:?}", began.elapsed());
        Ok(refused)
    })
}

fn revoked_calls(at: &mut Outside) -> Result<Told> {
    let identity = at.revoked("evil-02")?;
    let csr_pem = identity.request("evil-02")?;
    at.attempt(&["refused.revoked"], async |this| {
        let mut line = this.dial(Some(&identity)).await?;
        let answers = [
            line.try_open(hello_of("evil-02")?).await?,
            line.try_confirm(confirm()?).await?,
            line.try_renew(csr_pem).await?,
        ];
        Ok(if answers == [Refused::Yes; 3] { Refused::Yes } else { Refused::No })
    })
}

/// Whatever the first connection left behind, the second one proves its key anew, and is judged anew.
fn revoked_ticket(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-03", "")?;
    let config = tls::client(&at.authority.certificate, Some(&identity))?;
    at.attempt(&["refused.revoked"], async |this| {
        let mut first = Line::dial_with(this.address, config.clone()).await?;
        first.open(hello_of("evil-03")?).await?;
        first.next().await?;
        drop(first);
        this.decide("revoke", "evil-03")?;
        let mut second = Line::dial_with(this.address, config).await?;
        ensure!(!second.resumed, "TLS went on with a ticket");
        second.try_open(hello_of("evil-03")?).await
    })
}

fn revoked_recovers(at: &mut Outside) -> Result<Told> {
    let identity = at.revoked("evil-04")?;
    at.attempt(&["refused.revoked"], async |this| {
        recovers(&mut this.dial(None).await?, "evil-04", &identity, "one").await
    })
}

fn quarantined(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-05", "")?;
    at.decide("quarantine", "evil-05")?;
    at.opens("refused.quarantined", "evil-05", &identity)
}

/// The certificate of a host is no secret: who has it and not the key gets nothing.
fn recovery_other_key(at: &mut Outside) -> Result<Told> {
    let victim = at.victim.clone();
    let own = at.authority.issue(&Says::host(&victim))?;
    at.attempt(&["refused.recovery"], async |this| {
        recovers(&mut this.dial(None).await?, &victim, &own, "one").await
    })
}

fn recovery_other_line(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-06", "")?;
    at.attempt(&["refused.recovery"], async |this| {
        let challenge = this.dial(None).await?.challenge("evil-06").await?;
        let answer = recovery("evil-06", identity.request(&challenge)?, 0, "one");
        this.dial(None).await?.try_recover(answer).await
    })
}

/// An answer that was overheard, or kept, is good once.
fn recovery_twice(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-07", "")?;
    at.attempt(&["refused.recovery"], async |this| {
        let mut line = this.dial(None).await?;
        let challenge = line.challenge("evil-07").await?;
        let answer = recovery("evil-07", identity.request(&challenge)?, 0, "one");
        ensure!(line.try_recover(answer.clone()).await? == Refused::No, "the first answer is not good");
        line.try_recover(answer).await
    })
}

/// A copy of the disk: the same key, and a count of the day it was copied.
fn recovery_old_count(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-08", "")?;
    at.attempt(&["host.quarantined"], async |this| {
        let mut own = this.dial(None).await?;
        ensure!(recovers(&mut own, "evil-08", &identity, "one").await? == Refused::No, "it cannot recover");
        recovers(&mut this.dial(None).await?, "evil-08", &identity, "two").await
    })
}

/// The stolen intermediate certifies whatever the thief wants: the key is not the one that enrolled.
fn forged_key(at: &mut Outside) -> Result<Told> {
    let victim = at.victim.clone();
    let identity = at.authority.issue(&Says::host(&victim))?;
    at.opens("refused.other_key", &victim, &identity)
}

fn forged_host(at: &mut Outside) -> Result<Told> {
    let identity = at.authority.issue(&Says::host("evil-09"))?;
    at.opens("refused.unknown_host", "evil-09", &identity)
}

/// The stream ends with the certificate, and the connection is good for nothing afterwards.
fn ends_on_line(at: &mut Outside) -> Result<Told> {
    let enrolled = at.newcomer("evil-10", "")?;
    let says = Says { ends_in_secs: 3, ..Says::host("evil-10") };
    let identity = at.authority.certify(&enrolled.key_pair()?, &says)?;
    at.attempt(&["refused.expired"], async |this| {
        let mut line = this.welcomed("evil-10", &identity).await?;
        let began = Instant::now();
        line.ended().await?;
        ensure!(began.elapsed() <= REVOKED_WITHIN, "the stream lived for {:?}", began.elapsed());
        line.try_confirm(confirm()?).await
    })
}

fn long_chain(at: &mut Outside) -> Result<Told> {
    let mut identity = at.newcomer("evil-11", "")?;
    let last = identity.chain.last().context("no chain")?.clone();
    identity.chain.resize(LONG_CHAIN, last);
    at.attempt(&["refused.identity"], async |this| match this.dial(Some(&identity)).await {
        Err(_) => Ok(Refused::Yes),
        Ok(mut line) => line.try_confirm(confirm()?).await,
    })
}

fn renewal_other_key(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-12", "")?;
    let csr_pem = request(&KeyPair::generate()?)?;
    at.attempt(&["refused.renewal"], async |this| this.dial(Some(&identity)).await?.try_renew(csr_pem).await)
}

fn renewal_anonymous(at: &mut Outside) -> Result<Told> {
    let csr_pem = request(&KeyPair::generate()?)?;
    at.attempt(&["refused.no_certificate"], async |this| this.dial(None).await?.try_renew(csr_pem).await)
}

fn moves(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-13", MACHINE)?;
    let mut moved = hello("evil-13");
    OTHER_MACHINE.clone_into(&mut moved.system_uuid);
    let first = wire(FromAgent::Hello(moved))?;
    let told = at.attempt(&["host.quarantined"], async |this| {
        let mut line = this.dial(Some(&identity)).await?;
        line.open(first).await?;
        line.ended().await
    });
    // The machine is free for the next attack.
    at.decide("revoke", "evil-13")?;
    told
}

fn one_machine(at: &mut Outside) -> Result<Told> {
    at.newcomer("evil-14", MACHINE)?;
    let token = at.stage.lab.token_for("evil-15")?;
    let told = at.enrols("refused.machine", question("evil-15", &token, &KeyPair::generate()?, MACHINE)?);
    at.decide("revoke", "evil-14")?;
    told
}

fn token_expired(at: &mut Outside) -> Result<Told> {
    let made = ["token", "create", "--host", "evil-16", "--no-approval", "--ttl", "1s"];
    let made = at.stage.lab.operate(&made)?;
    let token = made["token"].as_str().context("no token")?;
    let end = Duration::from_millis(made["expires"].as_u64().context("no end")?);
    let late = || Ok((SystemTime::now().duration_since(UNIX_EPOCH)? > end).then_some(()));
    wait_for(LIMIT, "the token to run out", late)?;
    at.enrols("refused.token", question("evil-16", token, &KeyPair::generate()?, "")?)
}

fn token_of_machine(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token(&["--system-uuid", MACHINE, "--no-approval"])?;
    at.enrols("refused.token", question("evil-17", &token, &KeyPair::generate()?, OTHER_MACHINE)?)
}

/// A token that was seen while its host waits for approval.
fn token_second_key(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token(&["--host", "evil-18"])?;
    let first = question("evil-18", &token, &KeyPair::generate()?, "")?;
    let first = at.wait(async |this| this.dial(None).await?.enrol(first).await)?;
    ensure!(matches!(first, EnrolReply::Pending { .. }), "it was let in without an operator");
    at.enrols("refused.token", question("evil-18", &token, &KeyPair::generate()?, "")?)
}

fn denied(at: &mut Outside) -> Result<Told> {
    let token = at.stage.lab.token(&["--host", "evil-19"])?;
    let asked = question("evil-19", &token, &KeyPair::generate()?, "")?;
    let first = asked.clone();
    let first = at.wait(async |this| this.dial(None).await?.enrol(first).await)?;
    ensure!(matches!(first, EnrolReply::Pending { .. }), "it was let in without an operator");
    at.decide("deny", "evil-19")?;
    at.enrols("refused.denied", asked)
}

fn unknown_call(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-20", "")?;
    at.attempt(&["refused.unknown_call"], async |this| {
        this.dial(Some(&identity)).await?.try_path("/pointsman.v1.Agent/Shutdown").await
    })
}

fn undecodable(at: &mut Outside) -> Result<Told> {
    at.attempt(&["refused.message"], async |this| {
        this.dial(None).await?.try_path("/pointsman.v1.Agent/Enrol").await
    })
}

fn oversized(at: &mut Outside) -> Result<Told> {
    let csr_pem = "A".repeat(proto::PEM_BYTES_MAX * 4);
    let asked = v1::EnrolRequest { host_id: NOBODY.to_owned(), csr_pem, ..v1::EnrolRequest::default() };
    at.enrols("refused.too_large", asked)
}

fn flood(at: &mut Outside) -> Result<Told> {
    let identity = at.newcomer("evil-21", "")?;
    at.attempt(&["refused.flooding"], async |this| {
        let mut line = this.welcomed("evil-21", &identity).await?;
        for sequence in 0..FLOOD_MESSAGES {
            let beat = HeartbeatReport {
                sequence,
                phase: ApplyPhase::Idle,
                committed_generation: Generation(1),
                drift: false,
                observation_hash: String::new(),
                rss_bytes: 0,
            };
            if line.say(wire(FromAgent::Heartbeat(beat))?).await.is_err() {
                break;
            }
        }
        line.ended().await
    })
}

/// Comes last: for some seconds nobody can enrol.
fn storm(at: &mut Outside) -> Result<Told> {
    let asked = question("evil-22", "pointsman-enrol-none", &KeyPair::generate()?, "")?;
    at.attempt(&["refused.crowded"], async |this| {
        let mut storm = tokio::task::JoinSet::new();
        for _ in 0..STORM_LINES {
            let (mut line, asked) = (this.dial(None).await?, asked.clone());
            storm.spawn(async move {
                for _ in 0..STORM_ENROLMENTS {
                    ensure!(
                        line.try_enrol(asked.clone()).await? == Refused::Yes,
                        "a token that is none was taken"
                    );
                }
                Ok(())
            });
        }
        while let Some(ended) = storm.join_next().await {
            ended??;
        }
        Ok(Refused::Yes)
    })
}

/// The host lost its certificate, and this coordinator gives it another one.
fn given(at: &mut Inside, certificate_pem: String, join_count: u64) -> Result<Told> {
    let (target, mark) = (at.target.clone(), at.log_mark()?);
    let file = at.stage.lab.agents.certificate_file(&target);
    at.stage.lab.agents.kill(&target)?;
    let kept = std::fs::read(&file)?;
    std::fs::remove_file(&file)?;
    at.server()?.recovers(certificate_pem, join_count);
    at.stage.lab.agents.start(&target)?;
    let place = at.logged(mark, &[&["no new certificate yet", "not taken"]]);
    let taken = file.exists();
    at.stage.lab.agents.kill(&target)?;
    std::fs::write(&file, kept)?;
    // Anew, so that the stream that is waited for is the one of the agent that is started now.
    at.serve(welcome())?;
    at.stage.lab.agents.start(&target)?;
    at.wait_stream()?;
    Ok(if taken { Told::default() } else { Told::refused("not_taken", place?) })
}

fn given_other_key(at: &mut Inside) -> Result<Told> {
    let other = at.authority.issue(&Says::host(&at.target))?;
    given(at, other.chain_pem(), 1)
}

fn given_for_years(at: &mut Inside) -> Result<Told> {
    let folder = at.stage.lab.root().join("agents").join(&at.target);
    let own = Identity::stolen(&folder.join("host.pem"), &folder.join("host.key"))?;
    let says = Says { ends_in_secs: 10 * 365 * 24 * HOUR_SECS, ..Says::host(&at.target) };
    let years = at.authority.certify(&own.key_pair()?, &says)?;
    given(at, years.chain_pem(), 1)
}

fn given_nothing(at: &mut Inside) -> Result<Told> {
    given(at, "no certificate".to_owned(), 1)
}

/// With another count the host would be taken for a copy of itself by the next honest coordinator.
fn given_count(at: &mut Inside) -> Result<Told> {
    let folder = at.stage.lab.root().join("agents").join(&at.target);
    let own = Identity::stolen(&folder.join("host.pem"), &folder.join("host.key"))?;
    let good = at.authority.certify(&own.key_pair()?, &Says::host(&at.target))?;
    given(at, good.chain_pem(), 41)
}
