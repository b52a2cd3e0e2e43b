//! Run-time refusals with the exact texts hostd prints (stdout, no prefix, exit status 1).
//!
//! Owns: the error catalogue of the simulated host. Must not: format usage errors (see `cli::usage`).
//! Texts that begin with `SIMULATOR:` are stand-ins: no public record of the real text exists.

/// A command that hostd or the kernel refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A switch of this name exists.
    #[error("A portset with this name already exists")]
    SwitchExists,
    /// The NIC is already an uplink of some switch.
    #[error("Uplink already exists: {0}")]
    UplinkExists(String),
    /// The NIC is not an uplink of this switch.
    #[error("No such uplink: {0}")]
    NoSuchUplink(String),
    /// No such physical NIC.
    #[error("Not a valid pnic: {0}")]
    NotAPnic(String),
    /// The port-group name is taken on this host.
    #[error("A portgroup with the name {0} already exists")]
    PortGroupExists(String),
    /// The port group already has a VMkernel adapter.
    #[error("A vmkernel nic for the connection point already exists")]
    ConnectionPointTaken,
    /// The tag is already there.
    #[error("Vmknic is already tagged with {0}")]
    AlreadyTagged(String),
    /// The tag is not there.
    #[error("Vmknic is not tagged with {0}")]
    NotTagged(String),
    /// The netstack exists.
    #[error("Netstack instance '{0}' is already found in kernel")]
    NetstackExists(String),
    /// Already there (the whole message).
    #[error("Already exists")]
    AlreadyExists,
    /// Not there (the whole message).
    #[error("Not found")]
    NotFound,
    /// A limit of the kernel is reached.
    #[error("Out of resources")]
    OutOfResources,
    /// The kernel does not know the object.
    #[error(
        "Unable to complete Sysinfo operation.  Please see the VMkernel log file for more details.: Sysinfo error: Not foundSee VMkernel log for details."
    )]
    SysinfoNotFound,
    /// The kernel does not take the value.
    #[error(
        "Unable to complete Sysinfo operation.  Please see the VMkernel log file for more details.: Sysinfo error: Bad parameterSee VMkernel log for details."
    )]
    BadParameter,
    /// The driver lacks the function.
    #[error(
        "Unable to complete Sysinfo operation.  Please see the VMkernel log file for more details.: Not supported: VSI node ({0})"
    )]
    NotSupported(String),
    /// hostd refuses a word of an enumeration.
    #[error("Invalid data constraint for parameter '{0}'.")]
    DataConstraint(&'static str),
    /// STAND-IN: the object is in use.
    #[error("SIMULATOR: The resource '{0}' is in use.")]
    InUse(String),
    /// STAND-IN: a combination of options or a situation hostd refuses with a text nobody published.
    #[error("SIMULATOR: {0}")]
    Refused(String),
    /// A text scripted by a test.
    #[error("{0}")]
    Scripted(String),
}
