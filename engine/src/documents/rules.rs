//! Registry of the rules that documents are checked by. Owns: ids and one line each. Must not: check.
//!
//! `DOC-*` speak of the text and the layout of the repository; the other ids are the structural
//! rules every resolved network has to keep. An id never changes its meaning.

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $about:literal;)*) => {
        $(
            #[doc = $about]
            pub const $name: &str = $id;
        )*
        /// Every rule: id and what it says.
        pub const ALL: &[(&str, &str)] = &[$(($id, $about)),*];
    };
}

rules! {
    SYNTAX = "DOC-001", "The text is not readable: no YAML, or no UTF-8.";
    LIMIT = "DOC-002", "A limit is broken: size, depth, number of values, number of findings.";
    REFUSED_FEATURE = "DOC-003", "A YAML feature that is not used here: anchors, aliases, merge keys, tags, several documents.";
    DUPLICATE_KEY = "DOC-004", "A key is given twice in one map.";
    UNKNOWN_KEY = "DOC-005", "A key no document has at this place.";
    BAD_VALUE = "DOC-006", "A value of the wrong type or outside its limits.";
    MISSING_KEY = "DOC-007", "A key that has to be there is not.";
    UNEXPECTED_FILE = "DOC-010", "A file below groups or rfcs that nothing reads.";
    BAD_NAME = "DOC-011", "A group folder or host file with a name that is no identifier.";
    MISSING_FILE = "DOC-012", "A file that has to be there is not.";
    SCHEMA_VERSION = "DOC-013", "The repository is written in a format version this release does not read.";
    TWO_GROUPS = "DOC-014", "A host belongs to two groups.";
    NOT_A_MEMBER = "DOC-015", "A host document whose host is no member of the group.";
    NO_HOSTS = "DOC-016", "A group without hosts.";
    ROLLOUT_NUMBER = "DOC-017", "A rollout number outside its limits.";
    NO_FAILURE_DOMAIN = "DOC-018", "Hosts without the label that names their failure domain.";
    FRONT_MATTER = "DOC-020", "An RFC document without readable front matter.";
    RFC_NUMBER = "DOC-021", "The number in the front matter is not the one of the file name.";
    RFC_TWICE = "DOC-022", "Two RFC documents have the same number.";
    RFC_TEXT = "DOC-023", "A text of an RFC is missing, too short or too long.";
    RFC_RISK = "DOC-024", "A risk number is not 1 to 5.";
    UNKNOWN_REFERENCE = "DOC-025", "A group, host or RFC that is named but not there.";
    CHANGE_BLOCK = "DOC-026", "An esxi-change block without an end.";
    VARIABLE_UNKNOWN = "DOC-030", "A variable without a value.";
    VARIABLE_SYNTAX = "DOC-031", "A variable that is not written as it has to be.";
    OVERRIDE_PATH = "DOC-032", "An override whose path leads nowhere.";
    OVERRIDE_EXPIRED = "DOC-033", "An override past its date, or with no readable date.";
    WAIVER = "DOC-050", "A waiver that cannot be: of no such rule, of one that cannot be waived, without reason or date.";
    RULE_SEVERITY = "DOC-051", "A severity for a rule that has none to change.";
    CABLING = "DOC-052", "A physical switch in two stacks.";
    WAIVER_EXPIRED = "DOC-053", "A waiver past its date.";
    VSWITCH_NAME = "DOC-040", "A standard switch name outside A-Z a-z 0-9 _ . - or longer than 31 characters.";
    PORT_GROUP_NAME = "DOC-041", "A port group name with a comma.";
    VMK0_ABSENT = "DOC-042", "The removal of vmk0.";
    NETSTACK_UNDECLARED = "DOC-043", "A netstack that is used but not declared.";
    VSWITCH_ABSENT = "STR-004", "A port group on a switch the same document removes.";
    UPLINK_NOT_ON_SWITCH = "STR-005", "An active or standby NIC that is not among the uplinks of the switch.";
    UPLINK_TWICE = "STR-006", "A NIC both active and standby, or twice in one list.";
    UPLINK_ON_TWO = "STR-007", "A NIC used by two switches.";
    PORT_GROUP_SHARED = "STR-009", "Two VMkernel adapters on one port group.";
    PORT_GROUP_ABSENT = "STR-010", "A VMkernel adapter on a port group the same document removes.";
    VLAN_RESERVED = "VLAN-004", "A VLAN the site reserves.";
    BEACON_FEW = "TEAM-005", "Beacon probing with fewer than three uplinks.";
    IPHASH_STANDBY = "TEAM-007", "IP hash with standby uplinks.";
    MTU_ABOVE_SWITCH = "MTU-001", "A VMkernel adapter with a larger MTU than its switch.";
    GATEWAY_OUTSIDE = "IP-002", "A gateway outside the subnet of its adapter.";
    ADDRESS_TWICE = "IP-003", "One static address on two adapters.";
}
