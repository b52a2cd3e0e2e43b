//! `network diag ping`: asks the fabric whether packets would come back.

use super::{ALWAYS, opt, req};
use crate::cli::args::{Args, Kind};
use crate::cli::table::{Action, Command};
use crate::cli::value::{Document, Record};
use crate::fabric::{self, Fragment, Ping, Reach};
use crate::host::Host;
use crate::network::{DEFAULT_NETSTACK, Fault};
use std::net::Ipv4Addr;

/// Payload of a ping without `--size`, in bytes.
const DEFAULT_SIZE: i64 = 56;
/// Round-trip time the simulator claims, in microseconds.
const ROUND_TRIP_US: i64 = 250;
/// Most packets one call sends.
const COUNT_MAX: i64 = 100;

/// The commands.
pub const COMMANDS: &[Command] = &[Command {
    path: "network diag ping",
    help: "Send ICMP echo requests to network hosts.",
    opts: &[
        opt('c', "count", Kind::Long, "Specify the number of packets to send."),
        opt('d', "df", Kind::Flag, "Set DF bit on IPv4 packets."),
        req('H', "host", Kind::Text, "Specify the host to send packets to."),
        opt('I', "interface", Kind::Text, "Specify the outgoing interface."),
        opt('i', "interval", Kind::Text, "Set the interval for sending packets in seconds."),
        opt('N', "netstack", Kind::Text, "Specify the TCPIP netstack which the interface resides on"),
        opt('s', "size", Kind::Long, "Set the payload size of the packets to send."),
        opt('t', "ttl", Kind::Long, "Set IPv4 Time To Live or IPv6 Hop Limit"),
        opt('W', "wait", Kind::Text, "Set the timeout to wait if no responses are received in seconds."),
        opt('4', "ipv4", Kind::Flag, "Ping with ICMPv4 echo requests."),
    ],
    since: ALWAYS,
    action: Action::Read(ping),
}];

fn ping(host: &Host, args: &Args) -> Result<Document, Fault> {
    let target: Ipv4Addr =
        args.required("host").parse().map_err(|_| Fault::Refused("unknown host".into()))?;
    let stack = args.text("netstack").unwrap_or(DEFAULT_NETSTACK);
    let vmk = match args.text("interface") {
        Some(name) => Some(host.running.vmk(name).map(|_| name.to_owned())?),
        None => host.running.route_to(stack, target).map(|(vmk, _)| vmk),
    };
    let size = u32::try_from(args.long("size").unwrap_or(DEFAULT_SIZE)).map_err(|_| Fault::BadParameter)?;
    let count = args.long("count").unwrap_or(3).clamp(1, COUNT_MAX);
    let fragment = if args.flag("df") { Fragment::Never } else { Fragment::Allowed };
    let reach = match vmk {
        Some(vmk) => fabric::can_ping(host, &host.fabric, &Ping { vmk, target, size, fragment }),
        None => Reach::Cut { reason: "no route".into() },
    };
    let answered = if reach == Reach::Ok { count } else { 0 };
    let trace = (0..answered)
        .map(|sequence| {
            Record::new("PingTrace")
                .int("Received Bytes", i64::from(size) + 8)
                .text("Host", target.to_string())
                .int("ICMP Seq", sequence)
                .int("TTL", 64)
                .quantity("Round-trip Time", ROUND_TRIP_US, "us")
                .boolean("Dup", false)
                .text("Detail", "")
        })
        .collect();
    let round_trip = if answered > 0 { ROUND_TRIP_US } else { 0 };
    let summary = Record::new("PingSummary")
        .text("Host Addr", target.to_string())
        .int("Transmitted", count)
        .int("Recieved", answered)
        .int("Duplicated", 0)
        .int("Packet Lost", 100 - 100 * answered / count)
        .quantity("Round-trip Min", round_trip, "us")
        .quantity("Round-trip Avg", round_trip, "us")
        .quantity("Round-trip Max", round_trip, "us");
    let record = Record::new("PingResult").nested_list("Trace", trace).nested("Summary", summary);
    Ok(Document::Single(None, record))
}
