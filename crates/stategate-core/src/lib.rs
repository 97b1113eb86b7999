//! What stategate knows and decides. Pure: no async runtime, no AWS, no GitHub client, no
//! environment, file system, process or clock; a test holds that.

pub mod advice;
pub mod approval;
pub mod backend;
pub mod comment;
pub mod configuration;
pub mod diagnostic;
pub mod harmless;
pub mod liveness;
pub mod lock_info;
pub mod locking;
pub mod network;
pub mod opentofu;
pub mod plan;
pub mod reads;
pub mod record;
pub mod redact;
pub mod refusal;
pub mod sentence;
pub mod session_end;
pub mod state_file;
pub mod transcript;
pub mod wrapped;
