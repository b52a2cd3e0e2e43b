//! Tests of host records.

use super::{HostName, Platform, SystemVersion};
use crate::formatter::Formatter;
use crate::output::parse;
use crate::records::{FromRecord, read_one};

fn one<T: FromRecord>(format: Formatter, text: &str) -> T {
    read_one("x", &parse("x", format, text).expect("a document")).expect("a record")
}

#[test]
fn versions_of_67_and_90() {
    let old: SystemVersion = one(
        Formatter::Text,
        "   Product: VMware ESXi\n   Version: 6.7.0\n   Build: Releasebuild-8169922\n   Update: 0\n   Patch: 0\n",
    );
    assert_eq!((old.version.as_str(), old.build.as_str(), old.maintenance), ("6.7.0", "8169922", None));
    let new: SystemVersion = one(
        Formatter::Json,
        r#"{"Build": "Releasebuild-24755229", "Maintenance": "0", "Patch": "0", "Product": "VMware ESXi", "Update": "0", "Version": "9.0.0"}"#,
    );
    assert_eq!((new.version.as_str(), new.maintenance.as_deref()), ("9.0.0", Some("0")));
}

#[test]
fn names_and_hardware() {
    let name: HostName =
        one(Formatter::Text, "   Domain Name: \n   Fully Qualified Domain Name: esx1\n   Host Name: esx1\n");
    assert_eq!(
        (name.host.as_str(), name.domain, name.fully_qualified.as_deref()),
        ("esx1", None, Some("esx1"))
    );
    let text = "Platform Information\n   UUID: 0xff 0x0 0x33 0x42 0xdc 0xd6 0x71 0xba 0xa 0x6a 0xf9 0x1c 0x57 0x13 0x25 0x99\n   Product Name: VMware20,1\n   Vendor Name: VMware, Inc.\n   Serial Number: None\n";
    let platform: Platform = one(Formatter::Text, text);
    assert_eq!(platform.uuid.as_deref(), Some("ff003342-dcd6-71ba-0a6a-f91c57132599"));
    assert_eq!(platform.vendor, "VMware, Inc.");
    let masked: Platform = one(Formatter::Text, &text.replace("0xff", "0xXX"));
    assert_eq!(masked.uuid, None);
}
