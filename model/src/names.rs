//! Names of network objects as checked types. Must not know which names exist on a host.
//!
//! The limits are what a host can hold, not what good taste allows: naming rules are findings.

use serde::{Deserialize, Serialize};

/// Longest name we accept for any object, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest standard switch name, in characters (vim25 `HostVirtualSwitchConfig.name`).
const VSWITCH_NAME_CHARS_MAX: usize = 32;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} name `{text}` {problem}")]
pub struct InvalidName {
    /// What was to be named, e.g. `port group`.
    pub kind: &'static str,
    /// The refused text.
    pub text: String,
    /// What is wrong with it and what is allowed.
    pub problem: String,
}

fn check_common(kind: &'static str, text: &str, max: usize) -> Result<(), InvalidName> {
    let fail = |problem: String| Err(InvalidName { kind, text: text.to_owned(), problem });
    if text.is_empty() {
        return fail("is empty: give 1 or more characters".to_owned());
    }
    if text.chars().count() > max {
        return fail(format!("is longer than {max} characters"));
    }
    if text.chars().any(char::is_control) {
        return fail("holds a control character: use printable characters only".to_owned());
    }
    if text.starts_with('-') {
        return fail(
            "starts with `-`, which esxcli cannot take as a value: choose another first character".to_owned(),
        );
    }
    if text.trim() != text {
        return fail("starts or ends with a blank: remove it".to_owned());
    }
    Ok(())
}

fn check_numbered(kind: &'static str, prefix: &str, max: u32, text: &str) -> Result<(), InvalidName> {
    check_common(kind, text, NAME_CHARS_MAX)?;
    let digits = text.strip_prefix(prefix).unwrap_or("");
    let plain = !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    match digits.parse::<u32>() {
        Ok(n) if plain && n <= max => Ok(()),
        _ => Err(InvalidName {
            kind,
            text: text.to_owned(),
            problem: format!("is not {prefix}0 to {prefix}{max}"),
        }),
    }
}

fn check_vswitch(text: &str) -> Result<(), InvalidName> {
    check_common("standard switch", text, VSWITCH_NAME_CHARS_MAX)
}
fn check_port_group(text: &str) -> Result<(), InvalidName> {
    check_common("port group", text, NAME_CHARS_MAX)
}
fn check_vmk(text: &str) -> Result<(), InvalidName> {
    check_numbered("VMkernel adapter", "vmk", 255, text)
}
fn check_vmnic(text: &str) -> Result<(), InvalidName> {
    check_common("physical NIC", text, NAME_CHARS_MAX)?;
    if text.contains([',', ' ']) {
        let problem = "holds a comma or a blank, which separates NICs in lists".to_owned();
        return Err(InvalidName { kind: "physical NIC", text: text.to_owned(), problem });
    }
    Ok(())
}
fn check_netstack(text: &str) -> Result<(), InvalidName> {
    check_common("netstack", text, NAME_CHARS_MAX)
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $check:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks `text` and makes the name; the error tells the exact limit.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;
            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidName;
            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// Name of a standard switch: 1 to 32 printable characters.
    VswitchName,
    check_vswitch
);
name_type!(
    /// Name of a port group: unique per host, 1 to 255 printable characters.
    PortGroupName,
    check_port_group
);
name_type!(
    /// Name of a VMkernel adapter: `vmk0` to `vmk255`.
    VmkName,
    check_vmk
);
name_type!(
    /// Name of a physical NIC: usually `vmnicN`, also `vusbN`; no commas or blanks.
    VmnicName,
    check_vmnic
);
name_type!(
    /// Name of a TCP/IP stack, e.g. `defaultTcpipStack`, `vmotion`.
    NetstackName,
    check_netstack
);

impl NetstackName {
    /// The stack every host has.
    pub const DEFAULT: &'static str = "defaultTcpipStack";

    /// The default TCP/IP stack.
    #[must_use]
    pub fn default_stack() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// Whether this is the stack every host has.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }
}

impl VmkName {
    /// The number behind `vmk`.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.0.strip_prefix("vmk").and_then(|n| n.parse().ok()).unwrap_or(u32::MAX)
    }
}
