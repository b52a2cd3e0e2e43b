//! The failover, security and shaping policies of switches and port groups.
//!
//! No public record of their output exists: labels and order follow the field lists and the rules of the other
//! outputs (generated). Letters differ between the namespaces on purpose: that is how the real tool is.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind, Opt};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, Record};
use crate::host::Host;
use crate::network::{
    Detection, Failover, FailoverChange, Fault, LoadBalancing, PolicyStart, Security, SecurityChange,
    Shaping, ShapingChange,
};

const SWITCH: Opt = req('v', "vswitch-name", Kind::Text, "The name of the virtual switch.");
const GROUP: Opt = req('p', "portgroup-name", Kind::Text, "The name of the port group.");
const RESET: Opt = opt(
    'u',
    "use-vswitch",
    Kind::Flag,
    "Reset all values for this policy to use parent vswitch's settings instead of overriding the settings for the port group. Using this in conjunction with other settings will first reset all of the fields to use the vSwitch setting and then apply the other options after the reset.",
);
const ACTIVE: Opt =
    opt('a', "active-uplinks", Kind::Text, "Configure the list of active adapters and their failover order.");
const STANDBY: Opt = opt(
    's',
    "standby-uplinks",
    Kind::Text,
    "Configure the list of standby adapters and their failover order.",
);
const FAILBACK: Opt = opt(
    'b',
    "failback",
    Kind::Bool,
    "Configure whether a NIC will be used immediately when it comes back in service after a failover",
);
const DETECTION: Opt = opt(
    'f',
    "failure-detection",
    Kind::Word(Detection::WORDS),
    "Set the method of determining how a network outage is detected.",
);
const BALANCING: Opt = opt(
    'l',
    "load-balancing",
    Kind::Word(LoadBalancing::WORDS),
    "Set the load balancing policy for this policy.",
);
const NOTIFY: Opt = opt(
    'n',
    "notify-switches",
    Kind::Bool,
    "Indicate whether to send a notification to physical switches on failover",
);
const FORGED: Opt = opt(
    'f',
    "allow-forged-transmits",
    Kind::Bool,
    "Allow ports on the virtual switch to send packets with forged source information.",
);
const MAC: Opt = opt(
    'm',
    "allow-mac-change",
    Kind::Bool,
    "Allow ports on the virtual switch to change their MAC address.",
);
const ENABLED: Opt =
    opt('e', "enabled", Kind::Bool, "Indicates whether to enable traffic shaping on this policy.");
const AVERAGE: Opt = opt(
    'b',
    "avg-bandwidth",
    Kind::Long,
    "The averge bandwidth allowed for this shaping policy in Kbps (1 Kbps = 1000 bits/s)",
);
const PEAK: Opt = opt(
    'k',
    "peak-bandwidth",
    Kind::Long,
    "The peak bandwidth allowed for this shaping policy in Kbps (1 Kbps = 1000 bits/s)",
);
const BURST: Opt = opt(
    't',
    "burst-size",
    Kind::Long,
    "The largest burst size allowed for this shaping policy in Kib (1 Kib = 1024 bits)",
);

const fn command(path: &'static str, help: &'static str, opts: &'static [Opt], action: Action) -> Command {
    Command { path, help, opts, since: ALWAYS, action }
}

/// The commands.
pub const COMMANDS: &[Command] = &[
    command(
        "network vswitch standard policy failover get",
        "Get the failover policy settings governing the given virtual switch",
        &[SWITCH],
        Action::Read(switch_failover),
    ),
    command(
        "network vswitch standard policy failover set",
        "Configure the Failover policy for a virtual switch.",
        &[ACTIVE, FAILBACK, DETECTION, BALANCING, NOTIFY, STANDBY, SWITCH],
        Action::Write(set_switch_failover),
    ),
    command(
        "network vswitch standard policy security get",
        "Get the Security Policy governing the given virtual switch.",
        &[SWITCH],
        Action::Read(switch_security),
    ),
    command(
        "network vswitch standard policy security set",
        "Set the security policy for a given virtual switch",
        &[
            FORGED,
            MAC,
            opt(
                'p',
                "allow-promiscuous",
                Kind::Bool,
                "Allow ports on the virtual switch to enter promiscuous mode.",
            ),
            SWITCH,
        ],
        Action::Write(set_switch_security),
    ),
    command(
        "network vswitch standard policy shaping get",
        "Get the shaping policy settings for the given virtual switch",
        &[SWITCH],
        Action::Read(switch_shaping),
    ),
    command(
        "network vswitch standard policy shaping set",
        "Set the shaping policy settings for the given virtual switch",
        &[AVERAGE, BURST, ENABLED, PEAK, SWITCH],
        Action::Write(set_switch_shaping),
    ),
    command(
        "network vswitch standard portgroup policy failover get",
        "Get the network failover policy settings governing the given port group",
        &[GROUP],
        Action::Read(group_failover),
    ),
    command(
        "network vswitch standard portgroup policy failover set",
        "Configure the Failover policy for a port group. These setting may potentially override virtual switch settings.",
        &[ACTIVE, FAILBACK, DETECTION, BALANCING, NOTIFY, GROUP, STANDBY, RESET],
        Action::Write(set_group_failover),
    ),
    command(
        "network vswitch standard portgroup policy security get",
        "Get the Security Policy governing the given port group.",
        &[GROUP],
        Action::Read(group_security),
    ),
    command(
        "network vswitch standard portgroup policy security set",
        "Set the security policy for a given port group",
        &[
            FORGED,
            MAC,
            opt(
                'o',
                "allow-promiscuous",
                Kind::Bool,
                "Allow ports on the port group to enter promiscuous mode.",
            ),
            GROUP,
            RESET,
        ],
        Action::Write(set_group_security),
    ),
    command(
        "network vswitch standard portgroup policy shaping get",
        "Get the network shaping policy settings governing the given port group",
        &[GROUP],
        Action::Read(group_shaping),
    ),
    command(
        "network vswitch standard portgroup policy shaping set",
        "Set the shaping policy settings for the given port group",
        &[AVERAGE, BURST, ENABLED, PEAK, GROUP, RESET],
        Action::Write(set_group_shaping),
    ),
];

fn start(args: &Args) -> PolicyStart {
    if args.flag("use-vswitch") { PolicyStart::Reset } else { PolicyStart::Keep }
}

fn failover_change(args: &Args) -> FailoverChange {
    FailoverChange {
        load_balancing: args.text("load-balancing").and_then(LoadBalancing::from_word),
        detection: args.text("failure-detection").and_then(Detection::from_word),
        notify: args.boolean("notify-switches"),
        failback: args.boolean("failback"),
        active: args.comma_list("active-uplinks"),
        standby: args.comma_list("standby-uplinks"),
    }
}

fn security_change(args: &Args) -> SecurityChange {
    SecurityChange {
        promiscuous: args.boolean("allow-promiscuous"),
        mac_change: args.boolean("allow-mac-change"),
        forged: args.boolean("allow-forged-transmits"),
    }
}

fn shaping_change(args: &Args) -> ShapingChange {
    ShapingChange {
        enabled: args.boolean("enabled"),
        average: args.long("avg-bandwidth"),
        peak: args.long("peak-bandwidth"),
        burst: args.long("burst-size"),
    }
}

fn failover_record(type_name: &'static str, policy: &Failover, uplinks: &[String]) -> Record {
    Record::new(type_name)
        .text("Load Balancing", policy.load_balancing.printed())
        .text("Network Failure Detection", policy.detection.printed())
        .boolean("Notify Switches", policy.notify)
        .boolean("Failback", policy.failback)
        .texts("Active Adapters", policy.order.active.clone())
        .texts("Standby Adapters", policy.order.standby.clone())
        .texts("Unused Adapters", policy.order.unused(uplinks))
}

fn security_record(type_name: &'static str, policy: Security) -> Record {
    Record::new(type_name)
        .boolean("Allow Promiscuous", policy.promiscuous)
        .boolean("Allow MAC Address Change", policy.mac_change)
        .boolean("Allow Forged Transmits", policy.forged)
}

fn shaping_record(type_name: &'static str, policy: Shaping) -> Record {
    Record::new(type_name)
        .boolean("Enabled", policy.enabled)
        .quantity("Average Bandwidth", policy.average.unwrap_or(-1), "Kbps")
        .quantity("Peak Bandwidth", policy.peak.unwrap_or(-1), "Kbps")
        .quantity("Burst Size", policy.burst.unwrap_or(-1), "Kib")
}

fn switch_failover(host: &Host, args: &Args) -> Result<Document, Fault> {
    let switch = host.running.vswitch(args.required("vswitch-name"))?;
    let record = failover_record("VirtualSwitchFailoverPolicy", &switch.failover, &switch.uplinks);
    Ok(Document::Single(None, record))
}

fn switch_security(host: &Host, args: &Args) -> Result<Document, Fault> {
    let switch = host.running.vswitch(args.required("vswitch-name"))?;
    Ok(Document::Single(None, security_record("VirtualSwitchSecurityPolicy", switch.security)))
}

fn switch_shaping(host: &Host, args: &Args) -> Result<Document, Fault> {
    let switch = host.running.vswitch(args.required("vswitch-name"))?;
    Ok(Document::Single(None, shaping_record("VirtualSwitchTrafficShapingPolicy", switch.shaping)))
}

fn set_switch_failover(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let switch = host.running.vswitch_mut(args.required("vswitch-name"))?;
    let uplinks = switch.uplinks.clone();
    switch.failover.apply(&failover_change(args), &uplinks)
}

fn set_switch_security(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.vswitch_mut(args.required("vswitch-name"))?.security.apply(security_change(args));
    Ok(())
}

fn set_switch_shaping(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.vswitch_mut(args.required("vswitch-name"))?.shaping.apply(shaping_change(args))
}

fn group_failover(host: &Host, args: &Args) -> Result<Document, Fault> {
    let (policy, group) = host.running.port_group_failover(args.required("portgroup-name"))?;
    let uplinks = &host.running.vswitch(&group.vswitch)?.uplinks;
    let own = &group.failover;
    let record = failover_record("PortGroupFailoverPolicy", &policy, uplinks)
        .boolean("Override Vswitch Load Balancing", own.load_balancing.is_some())
        .boolean("Override Vswitch Network Failure Detection", own.detection.is_some())
        .boolean("Override Vswitch Notify Switches", own.notify.is_some())
        .boolean("Override Vswitch Failback", own.failback.is_some())
        .boolean("Override Vswitch Uplinks", own.order.is_some());
    Ok(Document::Single(None, record))
}

fn group_security(host: &Host, args: &Args) -> Result<Document, Fault> {
    let (policy, group) = host.running.port_group_security(args.required("portgroup-name"))?;
    let own = &group.security;
    let record = security_record("PortGroupSecurityPolicy", policy)
        .boolean("Override Vswitch Allow Promiscuous", own.promiscuous.is_some())
        .boolean("Override Vswitch Allow MAC Address Change", own.mac_change.is_some())
        .boolean("Override Vswitch Allow Forged Transmits", own.forged.is_some());
    Ok(Document::Single(None, record))
}

fn group_shaping(host: &Host, args: &Args) -> Result<Document, Fault> {
    let (policy, group) = host.running.port_group_shaping(args.required("portgroup-name"))?;
    let own = &group.shaping;
    let record = shaping_record("PortGroupTrafficShapingPolicy", policy)
        .boolean("Override Vswitch Enabled", own.enabled.is_some())
        .boolean("Override Vswitch Average Bandwidth", own.average.is_some())
        .boolean("Override Vswitch Peak Bandwidth", own.peak.is_some())
        .boolean("Override Vswitch Burst Size", own.burst.is_some());
    Ok(Document::Single(None, record))
}

fn set_group_failover(host: &mut Host, args: &Args) -> Result<(), Fault> {
    let name = args.required("portgroup-name");
    host.running.set_port_group_failover(name, start(args), &failover_change(args))
}

fn set_group_security(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.set_port_group_security(args.required("portgroup-name"), start(args), security_change(args))
}

fn set_group_shaping(host: &mut Host, args: &Args) -> Result<(), Fault> {
    host.running.set_port_group_shaping(args.required("portgroup-name"), start(args), shaping_change(args))
}
