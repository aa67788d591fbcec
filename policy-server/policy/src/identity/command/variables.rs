//! Environment variables that make a command line another server than it says. An identity cannot show
//! them; whoever sees them set beside a server (in its configuration entry) can.

/// What a variable decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steered {
    /// Which program, package or library is loaded: the identity is no longer that of what runs.
    Program,
    /// By way of whom a server is reached, or who is believed to be it: proxies, certificates. Many
    /// companies set these for everybody, so they are told of and otherwise let be.
    Connection,
}

/// By way of what something else is run, loaded, or fetched from elsewhere.
const PROGRAM: [&str; 28] = [
    "PATH",
    "PATHEXT",
    "HOME",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "BASH_ENV",
    "ENV",
    "ZDOTDIR",
    "SHELL",
    "COMSPEC",
    "GCONV_PATH",
    "GLIBC_TUNABLES",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "OPENSSL_ENGINES",
    "NODE_OPTIONS",
    "NODE_PATH",
    "RUBYOPT",
    "RUBYLIB",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "BUNDLE_GEMFILE",
    "VIRTUAL_ENV",
];
const PROGRAM_PREFIXES: [&str; 18] = [
    "NPM_",
    "PNPM_",
    "YARN_",
    "BUN_",
    "COREPACK_",
    "DENO_",
    "LD_",
    "DYLD_",
    "PYTHON",
    "UV_",
    "PIP_",
    "PIPX_",
    "DOCKER_",
    "CONTAINER",
    "PERL5",
    "GEM_",
    "DOTNET_STARTUP_HOOKS",
    "GIT_",
];
/// Python's own that load nothing, and that many servers' instructions ask for.
const HARMLESS: [&str; 6] = [
    "PYTHONUNBUFFERED",
    "PYTHONIOENCODING",
    "PYTHONUTF8",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONHASHSEED",
    "PYTHONFAULTHANDLER",
];
const CONNECTION: [&str; 12] = [
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NODE_USE_ENV_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "AWS_CA_BUNDLE",
    "SSLKEYLOGFILE",
];

/// What a variable decides, if it decides anything of this kind; upper or lower case, as Windows and
/// npm read both.
#[must_use]
pub fn steering(variable: &str) -> Option<Steered> {
    let variable = variable.to_ascii_uppercase();
    let name = variable.as_str();
    if HARMLESS.contains(&name) {
        None
    } else if PROGRAM.contains(&name) || PROGRAM_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        Some(Steered::Program)
    } else {
        CONNECTION.contains(&name).then_some(Steered::Connection)
    }
}

/// Does a variable decide what really runs, or what is really reached?
#[must_use]
pub fn steers_what_runs(variable: &str) -> bool {
    steering(variable).is_some()
}
