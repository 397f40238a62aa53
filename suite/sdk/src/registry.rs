//! Registration: a plugin's declarations reach the host's registry while the library is opened.

use candle_core::{DType, Device, Tensor};

use crate::backbone::BackboneDeclaration;
use crate::fingerprint::LENGTH;
use crate::host::Host;
use crate::policy::PolicyDeclaration;
use crate::task::TaskDeclaration;

/// What a plugin can register.
#[derive(Debug, Clone, Copy)]
pub enum Declaration {
    /// A task.
    Task(&'static TaskDeclaration),
    /// A backbone.
    Backbone(&'static BackboneDeclaration),
    /// A halting policy.
    Policy(&'static PolicyDeclaration),
}

impl Declaration {
    /// Name in suite files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Task(task) => task.name,
            Self::Backbone(backbone) => backbone.name,
            Self::Policy(policy) => policy.name,
        }
    }

    /// `task`, `backbone` or `policy`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Task(_) => "task",
            Self::Backbone(_) => "backbone",
            Self::Policy(_) => "policy",
        }
    }
}

/// One entry of the registry.
pub struct Registration {
    /// The registered declaration.
    pub declaration: Declaration,
    /// The crate that registered it.
    pub provider: &'static str,
    /// The version of that crate.
    pub version: &'static str,
    /// The fingerprint that the crate was compiled with; also what keeps the ELF section in the library.
    pub fingerprint: &'static [u8; LENGTH],
    /// Proves, from inside the plugin, that it shares the host's copy of the SDK.
    pub probe: fn() -> Option<SharingProbe>,
}

/// A registration on its way to the program; nobody else can read it.
pub struct Submission(Registration);

impl Submission {
    /// Submits a registration.
    pub const fn new(registration: Registration) -> Self {
        Self(registration)
    }
}

inventory::collect!(Submission);

/// The copies of the SDK and of candle that a library sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharingProbe {
    /// Address of a static of the SDK.
    pub anchor: usize,
    /// The number of a tensor made just now: consecutive across all libraries that share one candle.
    pub tensor: String,
}

/// A static whose address tells copies of the SDK apart.
pub static ANCHOR: u8 = 0;

/// Identifies the caller's copy of the SDK. The macros inline this into the plugin, so that it runs against the copy
/// that the plugin is linked with.
#[inline(always)]
pub fn probe() -> Option<SharingProbe> {
    let tensor = Tensor::zeros(1, DType::F32, &Device::Cpu).ok()?;
    Some(SharingProbe { anchor: &raw const ANCHOR as usize, tensor: format!("{:?}", tensor.id()) })
}

/// Everything registered so far, ordered by kind and name. Only for the program: with the declaration of its task, a
/// policy could draw instances.
///
/// ```compile_fail
/// haltbench_sdk::registry::registrations();
/// ```
///
/// ```compile_fail
/// use haltbench_sdk::registry::Submission;
/// haltbench_sdk::inventory::iter::<Submission>.into_iter().map(|submission| submission.0.declaration.name());
/// ```
pub fn registrations(_: &Host) -> Vec<&'static Registration> {
    submitted()
}

/// [`registrations`], for the SDK itself.
pub(crate) fn submitted() -> Vec<&'static Registration> {
    let mut all: Vec<&Registration> =
        inventory::iter::<Submission>.into_iter().map(|submission| &submission.0).collect();
    all.sort_by_key(|entry| (entry.declaration.kind(), entry.declaration.name(), entry.provider));
    all
}

/// Registers a [`PolicyDeclaration`] constant.
#[macro_export]
macro_rules! register_policy {
    ($declaration:expr) => {
        $crate::register!(Policy, $crate::policy::PolicyDeclaration, $declaration);
    };
}

/// Registers a [`TaskDeclaration`] constant.
#[macro_export]
macro_rules! register_task {
    ($declaration:expr) => {
        $crate::register!(Task, $crate::task::TaskDeclaration, $declaration);
    };
}

/// Registers a [`BackboneDeclaration`] constant.
#[macro_export]
macro_rules! register_backbone {
    ($declaration:expr) => {
        $crate::register!(Backbone, $crate::backbone::BackboneDeclaration, $declaration);
    };
}

/// The mechanism behind the three registration macros.
#[doc(hidden)]
#[macro_export]
macro_rules! register {
    ($kind:ident, $type:ty, $declaration:expr) => {
        const _: () = {
            static __HALTBENCH_DECLARATION: $type = $declaration;
            #[unsafe(link_section = ".haltbench")]
            static __HALTBENCH_FINGERPRINT: [u8; $crate::fingerprint::LENGTH] = $crate::fingerprint::FINGERPRINT;
            $crate::inventory::submit! {
                $crate::registry::Submission::new($crate::registry::Registration {
                    declaration: $crate::registry::Declaration::$kind(&__HALTBENCH_DECLARATION),
                    provider: env!("CARGO_PKG_NAME"),
                    version: env!("CARGO_PKG_VERSION"),
                    fingerprint: &__HALTBENCH_FINGERPRINT,
                    probe: $crate::registry::probe,
                })
            }
        };
    };
}
