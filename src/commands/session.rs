//! What every command starts from: where we run, for which state, with which token.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use tracing::Level;
use uuid::Uuid;

use super::planning::with_digest;
use super::running::{Live, all_words, quote, shown};
use crate::cli::Target;
use crate::detail;
use crate::error::{Error, new_workspace_hint, root_modules_hint};
use crate::shell::github::{Connection, GitHub, Pauses, Repository};
use crate::shell::lock_store::{Bucket, preflight};
use crate::shell::runner::{Footprint, Host, github_token, variable};
use crate::shell::signals::Cancel;
use crate::shell::terraform::{Configuration, Finished, RootModule, Terraform, TerraformError};
use stategate_core::backend::{Backend, BackendError};
use stategate_core::lock_info::{LockInfo, Operation, Origin, RunRef};
use stategate_core::network::Network;
use stategate_core::plan::Secrets;
use stategate_core::redact::{credentials_in, is_open_part, redact};
use stategate_core::refusal::Refusal;
use stategate_core::transcript::reports_error;

/// One run of one command.
pub(super) struct Session {
    pub(super) host: Host,
    pub(super) target: Target,
    pub(super) cancel: Cancel,
    /// `None` without a token, and on a laptop.
    pub(super) github: Option<GitHub>,
    /// What is secret before any plan says so: credentials in the environment.
    pub(super) secrets: Secrets,
}

/// What a root module is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To take its lock: being unable to release it is an error before it is taken.
    Lock,
    /// To look at a lock, or to remove somebody's.
    Look,
}

/// A root module whose backend is known: Terraform and the bucket behind it.
pub(super) struct Root {
    pub(super) terraform: Terraform,
    /// Terraform's own version, such as `1.11.4`.
    pub(super) version: String,
    pub(super) bucket: Bucket,
}

impl Session {
    pub(super) fn begin(target: &Target) -> Result<Session, Error> {
        let host = Host::detect()?;
        let github = match (&host, github_token()) {
            (Host::Actions(run), Some(token)) => Some(GitHub::connect(Connection {
                api_url: run.api_url.clone(),
                graphql_url: run.graphql_url.clone(),
                token,
                network: Network::from_env(&variable),
                pauses: Pauses::default(),
            })?),
            _ => None,
        };
        Ok(Session {
            host,
            target: target.clone(),
            cancel: Cancel::listen().map_err(Error::Signals)?,
            github,
            secrets: environment_secrets(),
        })
    }

    /// Words of Terraform's or of a service's without what is secret already, whatever a plan says.
    pub(super) fn scrub(&self, text: &str) -> String {
        redact(&self.secrets.scrub(text)).into_owned()
    }

    /// GitHub, for what cannot be done without it.
    pub(super) fn github(&self) -> Result<&GitHub, Error> {
        self.github.as_ref().ok_or(Error::TokenMissing)
    }

    /// This run's repository.
    pub(super) fn repository(&self) -> Result<Repository, Error> {
        let name = self.host.run().map(|run| run.repository.as_str()).unwrap_or_default();
        Ok(name.parse()?)
    }

    /// The root module as the user wrote it.
    pub(super) fn root_name(&self) -> String {
        self.target.working_directory.display().to_string()
    }

    /// The root module, looked up.
    pub(super) fn module(&self) -> Result<RootModule, Error> {
        Ok(RootModule::find(&self.target.working_directory, self.target.workspace.as_deref())?)
    }

    /// The root module's path from the root of the repository; `None` where there is no checkout of
    /// a runner around it.
    pub(super) fn place_in_repository(&self) -> Option<String> {
        self.host.run()?;
        let repository = fs::canonicalize(variable("GITHUB_WORKSPACE")?).ok()?;
        let module = self.module().ok()?;
        Some(module.directory().strip_prefix(repository).ok()?.to_str()?.to_owned())
    }

    /// The workspace, as far as it can be told without a root module.
    pub(super) fn workspace(&self) -> String {
        match self.module() {
            Ok(module) => module.workspace(),
            Err(_) => self.target.workspace.clone().unwrap_or_else(|| "default".to_owned()),
        }
    }

    /// The footprint of this process, for the clean-up step.
    pub(super) fn footprint(&self, directory: &Path) -> Result<Footprint, Error> {
        Ok(Footprint::begin(directory, self.run_attempt())?)
    }

    /// Tells the clean-up step that this process told its result and needs no one to do it.
    pub(super) fn conclude_footprint(&self) -> Result<(), Error> {
        let Ok(module) = self.module() else { return Ok(()) };
        let ours = |footprint: &Footprint| footprint.stategate.pid == std::process::id();
        for mut footprint in Footprint::find(module.directory(), self.run_attempt())?.into_iter().filter(ours) {
            footprint.set_concluded()?;
        }
        Ok(())
    }

    /// The run's ID and attempt; zeros outside a runner.
    pub(super) fn run_attempt(&self) -> (u64, u32) {
        self.host.run().map_or((0, 0), |run| (run.run_id, run.run_attempt))
    }

    /// Our own lock info, with an ID that nobody used before.
    pub(super) fn lock_info(&self, root: &Root, operation: &Operation, pull_request: Option<u64>) -> LockInfo {
        let origin = match &self.host {
            Host::Actions(run) => Origin::Run {
                actor: run.actor.clone(),
                run: RunRef {
                    server_url: run.server_url.clone(),
                    repository: run.repository.clone(),
                    run_id: run.run_id,
                    attempt: run.run_attempt,
                },
                pull_request,
            },
            Host::Laptop { user, host } => Origin::Person { user: user.clone(), host: host.clone() },
        };
        let id = Uuid::new_v4().to_string();
        LockInfo::ours(id, operation, &origin, &root.version, Timestamp::now(), root.bucket.backend().path())
    }
}

impl Root {
    /// Finds Terraform, initialises the root module when asked, reads the backend that came out,
    /// and connects to its bucket.
    pub(super) async fn open(session: &Session, purpose: Purpose) -> Result<Root, Error> {
        let target = &session.target;
        let module = session.module().map_err(|error| near(error, &target.working_directory))?;
        let terraform = Terraform::find(target.terraform_bin.as_deref(), module.clone());
        // A script may write the backend's file itself before it starts Terraform.
        let may_write_files = target.init && terraform.as_ref().is_ok_and(Terraform::is_script);
        if !may_write_files {
            check_configuration(&module, target)?;
        }
        let terraform = terraform?;
        if target.init {
            let selected = terraform.module().workspace();
            init(&terraform, session, purpose).await?;
            // Without a terminal, `init` goes on in the only workspace there is.
            let chosen = terraform.module().workspace();
            if chosen != selected {
                return Err(Error::OtherWorkspace { selected, chosen });
            }
        }
        let Some(bucket) = connect(session, terraform.module()).await? else {
            check_configuration(terraform.module(), target)?;
            return Err(Error::NotInitialised { directory: target.working_directory.clone(), init: target.init });
        };
        for warning in bucket.backend().warnings() {
            tracing::warn!("{warning}");
        }
        // Whether a lock could be let go again is asked beside Terraform's version, where it costs
        // no time.
        let may_lock = async {
            match purpose {
                Purpose::Lock => preflight(&bucket).await,
                Purpose::Look => Ok(()),
            }
        };
        let (version, may_lock) = tokio::join!(version(&terraform, session), may_lock);
        may_lock?;
        Ok(Root { terraform, version: version?, bucket })
    }
}

/// Tells at once what `terraform init` would not: it has nothing against a directory without files,
/// nor against a state that is a local file.
fn check_configuration(module: &RootModule, target: &Target) -> Result<(), Error> {
    let is_brought_by_init =
        all_words("init", target.init_args.as_ref()).iter().any(|word| word.contains("from-module"));
    if is_brought_by_init {
        return Ok(());
    }
    let configuration = module.configuration();
    if let Configuration::OtherBackend(kind) = configuration {
        // Else `init` would ask for another cloud's credentials first.
        return Err(BackendError::NotS3 { kind: kind.to_owned() }.into());
    }
    if configuration == Configuration::WithBackend || module.backend_file().map_err(Error::BackendFile)?.is_some() {
        return Ok(());
    }
    let given = &target.working_directory;
    let beside = |below: PathBuf| if given == Path::new(".") { below } else { given.join(below) };
    let root_modules =
        module.root_modules_below().into_iter().map(|below| beside(below).display().to_string()).collect();
    // A dot says nothing to whoever forgot to name the directory.
    let directory = if given == Path::new(".") { module.directory() } else { given }.display().to_string();
    Err(match configuration {
        Configuration::Missing => Error::NoTerraformFiles { directory, root_modules },
        Configuration::Cloud => BackendError::NotS3 { kind: "cloud".to_owned() }.into(),
        _ => Error::NoBackendBlock { directory, root_modules },
    })
}

/// A directory that does not exist, told with the root modules that do, from the nearest place above it.
fn near(error: Error, given: &Path) -> Error {
    if !matches!(error, Error::Terraform(TerraformError::NoDirectory { .. })) {
        return error;
    }
    let here = |place: &Path| if place.as_os_str().is_empty() { PathBuf::from(".") } else { place.to_owned() };
    let above = given.ancestors().skip(1).find(|place| here(place).is_dir()).filter(|place| *place != Path::new("/"));
    let module = above.and_then(|place| RootModule::find(&here(place), None).ok());
    let below = module.map(|module| module.root_modules_below()).unwrap_or_default();
    let names: Vec<String> =
        below.iter().map(|below| above.unwrap_or(given).join(below).display().to_string()).collect();
    if names.is_empty() { error } else { error.with_next(root_modules_hint(&names)) }
}

/// The bucket that the initialised backend names; `None` when `init` has not run.
pub(super) async fn connect(session: &Session, module: &RootModule) -> Result<Option<Bucket>, Error> {
    let Some(file) = module.backend_file().map_err(Error::BackendFile)? else { return Ok(None) };
    let backend = Backend::read(&file, &module.workspace(), &|name| std::env::var(name).ok())?;
    tokio::select! {
        bucket = Bucket::connect(backend) => Ok(Some(bucket)),
        () = session.cancel.wait() => Err(Error::Cancelled),
    }
}

async fn init(terraform: &Terraform, session: &Session, purpose: Purpose) -> Result<(), Error> {
    let mut arguments = vec!["init".to_owned(), "-input=false".to_owned(), "-no-color".to_owned()];
    arguments.extend(session.target.init_args.clone().unwrap_or_default().0);
    let scrub = |line: &str| session.scrub(line);
    // In a workspace that is new, this is no error: it is made later.
    let calm = |line: &str| scrub(line).replace("Error: Currently selected workspace", "Currently selected workspace");
    let mut finished = run_init(terraform, &arguments, session, purpose, calm).await?;
    if !finished.interrupted && !finished.status.success() && speaks_of_a_new_workspace(&finished.stderr) {
        // `init` refuses a workspace without a state, or locks to create it. We initialise
        // without the workspace and make its state under our own lock later.
        finished = run_init(&terraform.in_workspace("default"), &arguments, session, purpose, scrub).await?;
    }
    if finished.interrupted {
        return Err(Error::Cancelled);
    }
    let has_error = reports_error(&finished.stderr);
    match finished.check_report(has_error) {
        Ok(_) => Ok(()),
        Err(TerraformError::Failed { command, exit, stderr }) => {
            let Some(refusal) = Refusal::from_terraform(&stderr) else {
                let error = Error::from(TerraformError::Failed { command, exit, stderr }.map_stderr(scrub));
                let table = backend_of(terraform.module()).and_then(|backend| backend.dynamodb_table);
                return Err(with_digest(error, table.as_deref()));
            };
            // `init` makes the state of a new workspace where it can, and writes no other.
            let is_new = matches!(refusal, Refusal::Denied(_)) && stderr.contains("failed to upload state");
            let error = Error::InitRefusedByAws { refusal, command, exit, stderr: scrub(&stderr) };
            Err(if is_new { error.with_next(new_workspace_hint(&session.workspace())) } else { error })
        }
        Err(error) => Err(Error::from(error.map_stderr(scrub))),
    }
}

/// The backend, as far as an `init` that failed has written it down.
fn backend_of(module: &RootModule) -> Option<Backend> {
    let file = module.backend_file().ok()??;
    Backend::read(&file, &module.workspace(), &|name| std::env::var(name).ok()).ok()
}

/// Whoever looks at a lock wants to see the lock: `init` is told in one line, and shown when it
/// fails, or for debugging.
async fn run_init(
    terraform: &Terraform,
    arguments: &[String],
    session: &Session,
    purpose: Purpose,
    scrub: impl Fn(&str) -> String,
) -> Result<Finished, Error> {
    let title = format!("terraform init in {}", session.root_name());
    if purpose == Purpose::Lock {
        return Ok(shown(terraform, arguments, session, (Some(&title), Live::Everything), |_| {}, scrub)
            .await?
            .finished);
    }
    tracing::info!("{title}");
    let mut lines = Vec::new();
    let finished = terraform.run(arguments, session.cancel.wait(), |_| {}, |line| lines.push(scrub(line))).await?;
    if !finished.status.success() || detail::is_shown() {
        quote(None, Level::INFO, &lines.join("\n"))?;
    }
    Ok(finished)
}

async fn version(terraform: &Terraform, session: &Session) -> Result<String, Error> {
    let arguments = ["version".to_owned(), "-json".to_owned()];
    let finished = terraform.ask(&arguments, session.cancel.wait()).await?;
    let version = serde_json::from_str::<serde_json::Value>(&finished.stdout)
        .ok()
        .and_then(|json| Some(json.get("terraform_version")?.as_str()?.to_owned()));
    // Every version since 0.13 answers in JSON; an older one, or a script that does not know the
    // question, is named as what it is.
    Ok(version.unwrap_or_else(|| "unknown".to_owned()))
}

/// Whether `terraform init` failed because the workspace has no state yet.
fn speaks_of_a_new_workspace(stderr: &str) -> bool {
    let is_missing = stderr.contains("Currently selected workspace") && stderr.contains("does not exist");
    is_missing || stderr.contains("failed to lock s3 state") || stderr.contains("Error acquiring the state lock")
}

/// Credentials that stand in the environment. Terraform prints none of them on its own, but a
/// configuration can.
fn environment_secrets() -> Secrets {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let values: Vec<String> = variables.flat_map(|(name, value)| credentials_in(&name, &value)).collect();
    Secrets::from_credentials(values.iter().map(String::as_str), is_open_part)
}
