//! Every read command: its words, what it may be asked about, and its name in recorded sets.
//!
//! Owns: [`ReadCommand`] (the table), [`Query`] (a command with its subject) and [`QueryError`].
//! Must not run anything. Called by `observe`, `recordings` and the agent.

use crate::argv::{ArgvError, option};
use crate::error::{EsxcliFailure, classify};
use crate::formatter::Formatter;
use crate::output::{ParseOutputError, Value, parse};

/// What a read command is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing: it lists all.
    None,
    /// May be narrowed by this option.
    Optional(&'static str),
    /// Must be named by this option.
    Required(&'static str),
}

macro_rules! read_commands {
    ($($(#[$doc:meta])* $variant:ident = $words:literal, $subject:expr;)*) => {
        /// A command that reads.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ReadCommand { $(#[doc = concat!("`", $words, "`")] $variant,)* }

        impl ReadCommand {
            /// All read commands.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The command line after `esxcli`, as one text.
            #[must_use]
            pub fn path_str(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }

            /// What it is asked about.
            #[must_use]
            pub fn subject(self) -> Subject {
                match self { $(Self::$variant => $subject,)* }
            }
        }
    };
}

read_commands! {
    VswitchList = "network vswitch standard list", Subject::None;
    VswitchFailoverGet = "network vswitch standard policy failover get", Subject::Required("--vswitch-name");
    VswitchSecurityGet = "network vswitch standard policy security get", Subject::Required("--vswitch-name");
    VswitchShapingGet = "network vswitch standard policy shaping get", Subject::Required("--vswitch-name");
    PortGroupList = "network vswitch standard portgroup list", Subject::None;
    PortGroupFailoverGet = "network vswitch standard portgroup policy failover get",
        Subject::Required("--portgroup-name");
    PortGroupSecurityGet = "network vswitch standard portgroup policy security get",
        Subject::Required("--portgroup-name");
    PortGroupShapingGet = "network vswitch standard portgroup policy shaping get",
        Subject::Required("--portgroup-name");
    DvsList = "network vswitch dvs vmware list", Subject::None;
    InterfaceList = "network ip interface list", Subject::Optional("--netstack");
    Ipv4Get = "network ip interface ipv4 get", Subject::Optional("--netstack");
    Ipv4AddressList = "network ip interface ipv4 address list", Subject::None;
    Ipv6Get = "network ip interface ipv6 get", Subject::Optional("--interface-name");
    Ipv6AddressList = "network ip interface ipv6 address list", Subject::None;
    TagGet = "network ip interface tag get", Subject::Required("--interface-name");
    IpGet = "network ip get", Subject::None;
    NetstackList = "network ip netstack list", Subject::None;
    NetstackGet = "network ip netstack get", Subject::Required("--netstack");
    RouteIpv4List = "network ip route ipv4 list", Subject::Optional("--netstack");
    RouteIpv6List = "network ip route ipv6 list", Subject::Optional("--netstack");
    DnsServerList = "network ip dns server list", Subject::Optional("--netstack");
    DnsSearchList = "network ip dns search list", Subject::Optional("--netstack");
    NeighborList = "network ip neighbor list", Subject::Optional("--netstack");
    ConnectionList = "network ip connection list", Subject::Optional("--netstack");
    NicList = "network nic list", Subject::None;
    NicGet = "network nic get", Subject::Required("--nic-name");
    VmList = "network vm list", Subject::None;
    VmPortList = "network vm port list", Subject::Required("--world-id");
    SystemVersionGet = "system version get", Subject::None;
    SystemHostnameGet = "system hostname get", Subject::None;
    SystemUuidGet = "system uuid get", Subject::None;
    SystemUptimeGet = "system stats uptime get", Subject::None;
    MaintenanceModeGet = "system maintenanceMode get", Subject::None;
    PlatformGet = "hardware platform get", Subject::None;
    CommandList = "esxcli command list", Subject::None;
}

impl ReadCommand {
    /// The words of the command line after `esxcli`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.path_str().split(' ')
    }

    /// The command line after `esxcli`, as owned text (for errors).
    #[must_use]
    pub fn path(self) -> String {
        self.path_str().to_owned()
    }

    /// Name in recorded sets: the words joined by `-`.
    #[must_use]
    pub fn key(self) -> String {
        self.path_str().replace(' ', "-")
    }

    /// The command of this name in recorded sets.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|command| command.key().eq_ignore_ascii_case(key))
    }
}

/// A read command with what it is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Query {
    /// The command.
    pub command: ReadCommand,
    /// The named object; `None` asks about all, or about the default netstack.
    pub subject: Option<String>,
}

impl Query {
    /// A query about all.
    #[must_use]
    pub fn all(command: ReadCommand) -> Self {
        Self { command, subject: None }
    }

    /// A query about one object.
    #[must_use]
    pub fn about(command: ReadCommand, subject: impl Into<String>) -> Self {
        Self { command, subject: Some(subject.into()) }
    }

    /// The arguments to run esxcli with, global options first.
    pub fn argv(&self, formatter: Formatter) -> Result<Vec<String>, ArgvError> {
        let mut argv: Vec<String> = formatter.options().iter().map(|o| (*o).to_owned()).collect();
        argv.extend(self.command.words().map(str::to_owned));
        match (self.command.subject(), &self.subject) {
            (Subject::None | Subject::Optional(_), None) => {}
            (Subject::Required(name) | Subject::Optional(name), Some(value)) => {
                argv.extend(option(name, value)?);
            }
            (Subject::Required(name), None) => {
                return Err(ArgvError::Missing { command: self.command.path(), option: name.to_owned() });
            }
            (Subject::None, Some(value)) => {
                return Err(ArgvError::Unexpected { command: self.command.path(), value: value.clone() });
            }
        }
        Ok(argv)
    }

    /// Name in recorded sets: the command's words joined by `-`, then `@` and the subject.
    ///
    /// In the subject every character but ASCII letters, digits, `-` and `_` is written `%XX` per
    /// UTF-8 byte: `network-vswitch-standard-portgroup-policy-security-get@VM%20Network`.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = self.command.key();
        if let Some(subject) = &self.subject {
            key.push('@');
            for byte in subject.bytes() {
                if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                    key.push(char::from(byte));
                } else {
                    key.push_str(&format!("%{byte:02X}"));
                }
            }
        }
        key
    }

    /// The query of this name in recorded sets; the reverse of [`Query::key`].
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        let (base, subject) = match key.split_once('@') {
            Some((base, subject)) => (base, Some(decode(subject)?)),
            None => (key, None),
        };
        ReadCommand::from_key(base).map(|command| Self { command, subject })
    }

    /// Judges a finished call and reads its output.
    pub fn read(
        &self,
        formatter: Formatter,
        exit_code: Option<i32>,
        stdout: &str,
        stderr: &str,
    ) -> Result<Value, QueryError> {
        match classify(exit_code, stdout, stderr) {
            Some(failure) => Err(QueryError::Failed(failure)),
            None => Ok(parse(self.command.path_str(), formatter, stdout)?),
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.command.path_str())?;
        match &self.subject {
            Some(subject) => write!(f, " ({subject})"),
            None => Ok(()),
        }
    }
}

fn decode(subject: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = subject.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            bytes.push(digit(rest.next()?)? * 16 + digit(rest.next()?)?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// esxcli refused or failed.
    #[error(transparent)]
    Failed(#[from] EsxcliFailure),
    /// Its output cannot be read.
    #[error(transparent)]
    Output(#[from] ParseOutputError),
    /// It could not be run at all, or timed out.
    #[error("not run: {reason}")]
    NotRun {
        /// Why, in words.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
