//! `pointsman rules list|explain`: every rule there is, what it wants and why. Works offline.

use super::failure::{CliError, Outcome};
use super::screen::{Form, Screen};
use engine::documents::near_rule;
use engine::rules::{By, Foreign, RULES, Rule, foreign, rule};
use serde::Serialize;

/// Arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List all rules.
    List,
    /// Explain one rule.
    Explain {
        /// Its id, e.g. VLAN-001.
        id: String,
    },
}

/// A rule as `--json` prints it.
#[derive(Debug, Serialize)]
struct View {
    id: &'static str,
    severity: &'static str,
    kind: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    why: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    fix: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    sources: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    facts: &'static str,
    decided_by: String,
}

impl From<&Rule> for View {
    fn from(rule: &Rule) -> Self {
        let decided_by = match rule.by {
            By::Host(_) | By::Change(_) | By::Group(_) => "rules".to_owned(),
            By::Elsewhere(who) => who.to_owned(),
            By::Unread(fact) => format!("nobody yet: not read are {fact}"),
        };
        let Rule { id, title, why, fix, sources, facts, .. } = *rule;
        let (severity, kind) = (rule.severity.as_str(), rule.kind.as_str());
        Self { id, severity, kind, title, why, fix, sources, facts, decided_by }
    }
}

impl From<Foreign> for View {
    fn from(rule: Foreign) -> Self {
        Self {
            id: rule.id,
            severity: "",
            kind: "",
            title: rule.about,
            why: "",
            fix: "",
            sources: "",
            facts: "",
            decided_by: rule.owner.to_owned(),
        }
    }
}

fn all() -> Vec<View> {
    let own = RULES.iter().flat_map(|family| family.iter()).map(View::from);
    own.chain(foreign().map(View::from)).collect()
}

pub fn run(args: &Args, screen: &mut Screen<'_>) -> Result<Outcome, CliError> {
    match &args.verb {
        Verb::List => list(screen)?,
        Verb::Explain { id } => explain(&id.to_uppercase(), screen)?,
    }
    Ok(Outcome::Clean)
}

fn list(screen: &mut Screen<'_>) -> Result<(), CliError> {
    let all = all();
    if screen.form == Form::Json {
        return screen.json(&all);
    }
    let row = |view: &View| [view.id, view.severity, view.kind, view.title].map(str::to_owned).to_vec();
    screen.table(&["rule", "severity", "looks at", "what"], all.iter().map(row), "no rules")
}

fn explain(id: &str, screen: &mut Screen<'_>) -> Result<(), CliError> {
    let found = rule(id).map(View::from).or_else(|| foreign().find(|rule| rule.id == id).map(View::from));
    let Some(view) = found else {
        return Err(CliError::Usage(format!(
            "there is no rule `{id}`{}; `pointsman rules list` shows all",
            near_rule(id)
        )));
    };
    if screen.form == Form::Json {
        return screen.json(&view);
    }
    screen.line(format_args!("{}  {}", view.id, view.title))?;
    let lines = [
        ("severity", view.severity),
        ("looks at", view.kind),
        ("why", view.why),
        ("fix", view.fix),
        ("needs", view.facts),
        ("decided by", view.decided_by.as_str()),
        ("sources", view.sources),
    ];
    for (name, text) in lines.into_iter().filter(|(_, text)| !text.is_empty()) {
        screen.line(format_args!("  {name:<11} {text}"))?;
    }
    Ok(())
}
