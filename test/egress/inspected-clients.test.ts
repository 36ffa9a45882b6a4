/** The clients that people use, inside real sandboxes, through inspected and opaque connections. */
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openGateway, type Gateway } from "../../src/egress/gateway.ts";
import { parseMirrors } from "../../src/egress/mirrors.ts";
import { runProcess } from "../../src/platform/process.ts";
import type { EgressRecord } from "../../src/protocol/egress.ts";
import type { CaptureSockets } from "../../src/sandbox/capture/capture-sockets.ts";
import type { RunningSandbox } from "../../src/sandbox/provider.ts";
import { createLocalProvider } from "../../src/sandbox/providers/local/provider.ts";
import {
  NEVER,
  SandboxYard,
  sh,
  type Outcome,
} from "../../src/testing/conformance/sandbox-yard.ts";
import { policyOf } from "../support/gateway-rig.ts";
import { openInspection } from "../support/inspection-yard.ts";
import { openRealServers, type RealServers } from "../support/real-servers.ts";
import { allOf, program } from "../support/requirement.ts";

const needed = allOf(
  ...["crun", "unshare", "nsenter", "python3", "git", "curl", "dpkg-deb"].map(program),
);
/** Each host as far as its client needs it; what is not named is the forbidden twin. */
const RULES = [
  "api.example/public/**,GET,HEAD",
  "git.example/repository.git/info/refs,GET",
  "git.example/repository.git/git-upload-pack,POST",
  "git.example:22",
  "npm.example/tiny/**,GET",
  "npm.example/tiny,GET",
  "pypi.example/simple/tiny/,GET",
  "pypi.example/files/**,GET",
  "crates.example/index/**,GET",
  "crates.example/dl/tiny/**,GET",
  "deb.example/flat/**,GET",
  "chat.example/room",
  "db.example:5432",
];
const NODE_TOOLCHAIN = dirname(dirname(process.execPath));

/** Rust is seldom the distribution's; a sandbox sees it as a toolchain. */
async function rustToolchain(): Promise<string[]> {
  if (!program("rustc").met) return [];
  const { code, stdout } = await runProcess(["rustc", "--print", "sysroot"]);
  return code === 0 && stdout.startsWith("/") ? [stdout.trim()] : [];
}

describe.skipIf(!needed.met)(
  needed.title("inside a sandbox whose connections are inspected"),
  () => {
    let yard: SandboxYard;
    let servers: RealServers;
    let sandbox: RunningSandbox;
    let gateway: Gateway;
    const records: EgressRecord[] = [];
    const closing: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      yard = new SandboxYard(createLocalProvider);
      servers = await openRealServers(yard.makeDirectory("servers"));
      const { authority, inspection } = openInspection({ keep: (close) => closing.push(close) });
      const workspace = yard.makeDirectory("workspace");
      mkdirSync(join(workspace, "node_modules"));
      cpSync("node_modules/ws", join(workspace, "node_modules/ws"), { recursive: true });
      const specification = yard.specify({
        workspace: { path: workspace, mode: "direct" },
        toolchains: [NODE_TOOLCHAIN, ...(await rustToolchain())],
        certificates: [authority.certificate],
      });
      const onCapture = (sockets: CaptureSockets): void => {
        gateway = openGateway({
          sandboxId: specification.id,
          sandboxName: specification.name,
          sockets,
          policy: policyOf({ allow: RULES }),
          mirrors: parseMirrors(servers.mirrors),
          mirrorCertificates: [servers.authority],
          inspection,
          record: (record) => records.push(record),
        });
      };
      await yard.provider.create(specification, NEVER);
      sandbox = await yard.provider.start(specification, { onCapture }, NEVER);
    });

    afterAll(async () => {
      await gateway.close();
      await yard.close();
      await servers.close();
      for (const close of closing) await close();
    });

    beforeEach(() => {
      records.length = 0;
      servers.asked.length = 0;
    });

    function requests(action: string): (string | undefined)[] {
      const found = records.filter(
        (record) => record.kind === "request" && record.action === action,
      );
      return found.map(({ method, path }) => `${method} ${path}`);
    }

    const failed = (outcome: Outcome): string => `${outcome.output}${outcome.errors}`;

    test.each([
      ["HTTP/1", "--http1.1", "1.1"],
      ["HTTP/2", "--http2", "2.0"],
    ])("curl speaks %s, and reads why a request was denied", async (_what, flag, version) => {
      const curl = `curl -sS --max-time 20 ${flag} https://api.example`;
      expect((await sh(sandbox, `${curl}/public/a`)).output).toBe(`hello by ${version}\n`);
      const denied = await sh(sandbox, `${curl}/private/a`);
      expect(denied.output).toContain("Cattlegrid's egress policy refused");
      expect(denied.output).toContain("cattlegrid policy allow");
      const post = await sh(sandbox, `${curl}/public/a -d x -o /dev/null -w '%{http_code}'`);
      expect(post.output).toBe("403");
      expect(servers.asked).toEqual(["api.example GET /public/a"]);
    });

    test("curl finds the authority without any variable, and one that trusts others is told apart", async () => {
      const plain = await sh(sandbox, "env -i /usr/bin/curl -sS https://api.example/public/a");
      expect(plain.output).toContain("hello");
      const wary = "curl -sS --cacert /etc/hostname https://api.example/public/a";
      expect((await sh(sandbox, `${wary}; :`)).output).toBe("");
      const stranger = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /tmp/k -out /tmp/c -days 1 -subj /CN=x 2>/dev/null`;
      await sh(sandbox, `${stranger}; curl -sS --cacert /tmp/c https://api.example/public/a`);
      expect(records.map(({ reasonCode }) => reasonCode)).toContain("client-distrusts");
    });

    test("git clones and fetches over https, and cannot push", async () => {
      const clone =
        "cd /tmp && git clone -q https://git.example/repository.git https && cat https/README";
      expect((await sh(sandbox, clone)).output).toBe("from the forge\n");
      const push = `cd /tmp/https && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x
      git push -q origin main`;
      const pushed = await sh(sandbox, push);
      expect([pushed.code === 0, failed(pushed)]).toEqual([false, expect.stringContaining("403")]);
      expect(requests("deny")).toEqual(["POST /repository.git/git-receive-pack"]);
      expect(
        (await sh(sandbox, "git clone -q https://git.example/other.git /tmp/o")).code,
      ).not.toBe(0);
    });

    test("git clones over ssh, whose bytes nobody reads", async (context) => {
      if ((await sh(sandbox, "command -v ssh")).code !== 0) return context.skip("no ssh inside");
      const ssh =
        "ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR";
      const clone = `cd /tmp && GIT_SSH_COMMAND='${ssh}' git clone -q git@git.example:repository.git ssh`;
      const outcome = await sh(sandbox, `${clone} && cat ssh/README`);
      expect(failed(outcome)).toBe("from the forge\n");
      expect(records).toContainEqual(expect.objectContaining({ port: 22, protocol: "opaque" }));
    });

    test("npm installs what its rules name, and cannot publish", async (context) => {
      if ((await sh(sandbox, "command -v npm")).code !== 0) return context.skip("no npm inside");
      const npm = "npm --registry https://npm.example --no-audit --no-fund --no-update-notifier";
      const install = `mkdir -p /tmp/n && cd /tmp/n && echo '{"name":"n","version":"1.0.0"}' >package.json
      ${npm} install tiny >/dev/null && node -p 'require("tiny")'`;
      const installed = await sh(sandbox, install);
      expect(failed(installed)).toBe("tiny from npm\n");
      const publish = `cd /tmp/n && echo '//npm.example/:_authToken=x' >.npmrc && ${npm} publish`;
      const published = await sh(sandbox, publish);
      expect([published.code === 0, failed(published)]).toEqual([
        false,
        expect.stringContaining("403"),
      ]);
      expect(servers.asked.some((line) => line.includes("PUT"))).toBe(false);
    });

    test("pip installs what its rules name", async () => {
      const pip = "/usr/bin/python3 -m pip install -q --disable-pip-version-check --no-cache-dir";
      const install = `${pip} --index-url https://pypi.example/simple --target /tmp/p`;
      const outcome = await sh(
        sandbox,
        `${install} tiny 2>&1 && PYTHONPATH=/tmp/p /usr/bin/python3 -c 'import tiny; print(tiny.WHERE)'`,
      );
      expect(failed(outcome)).toBe("tiny from pypi\n");
      expect((await sh(sandbox, `${install} other 2>&1`)).code).not.toBe(0);
      expect(requests("deny")).toEqual(["GET /simple/other/"]);
    });

    test("cargo fetches what its rules name", async (context) => {
      if ((await sh(sandbox, "cargo --version")).code !== 0) return context.skip("no cargo inside");
      const script = `mkdir -p /tmp/crate/src && cd /tmp/crate && : >src/lib.rs && cat >Cargo.toml <<'EOF'
[package]
name = "c"
version = "1.0.0"
[dependencies]
tiny = { version = "1", registry = "own" }
EOF
      CARGO_REGISTRIES_OWN_INDEX=sparse+https://crates.example/index/ cargo fetch 2>&1
      ls ~/.cargo/registry/cache/*/`;
      const outcome = await sh(sandbox, script);
      expect(outcome.output).toContain("tiny-1.0.0.crate");
      expect(servers.asked).toContain("crates.example GET /dl/tiny/1.0.0/download");
    });

    test("apt reads a list and fetches a package", async (context) => {
      if ((await sh(sandbox, "command -v apt-get")).code !== 0)
        return context.skip("no apt inside");
      const script = `mkdir -p /tmp/apt/lists/partial /tmp/apt/archives/partial && cd /tmp/apt
      echo 'deb [trusted=yes] https://deb.example/ flat/' >sources.list && : >status
      apt='apt-get -qq -o Dir::State=/tmp/apt -o Dir::State::status=/tmp/apt/status -o Dir::Cache=/tmp/apt
        -o Dir::Etc::SourceList=/tmp/apt/sources.list -o Dir::Etc::SourceParts=/dev/null -o Acquire::Retries=0'
      $apt update 2>&1 && $apt download tiny 2>&1 && ls *.deb`;
      const outcome = await sh(sandbox, script);
      expect(outcome.output).toContain("tiny_1.0_all.deb");
      expect(servers.asked.some((line) => line.startsWith("deb.example GET"))).toBe(true);
    });

    test("a WebSocket opens where a rule names its path, and nowhere else", async () => {
      writeFileSync(
        join(yard.makeDirectory("workspace"), "chat.cjs"),
        `const socket = new (require("ws"))("wss://chat.example" + process.argv[2]);
       socket.on("open", () => socket.send("hi"));
       socket.on("message", (data) => { console.log(String(data)); socket.close(); });
       socket.on("error", (error) => console.log(error.message));`,
      );
      expect((await sh(sandbox, "node chat.cjs /room")).output).toBe("hi\n");
      expect((await sh(sandbox, "node chat.cjs /other")).output).toContain("403");
      expect(records).toContainEqual(
        expect.objectContaining({ kind: "request", action: "deny", path: "/other" }),
      );
    });

    test("psql asks a database on 5432, whose bytes nobody reads", async (context) => {
      if ((await sh(sandbox, "command -v psql")).code !== 0) return context.skip("no psql inside");
      const outcome = await sh(sandbox, "psql -h db.example -U ada -At -c 'select said' ada");
      expect(failed(outcome)).toBe("hello from the database\n");
      expect((await sh(sandbox, "psql -h db.example -p 5433 -U ada -c 'select 1' ada")).code).toBe(
        2,
      );
    });

    test("Python and Node believe the authority", async () => {
      const python = `import urllib.request
print(urllib.request.urlopen("https://api.example/public/p").read().decode(), end="")`;
      expect((await sh(sandbox, `/usr/bin/python3 -c '${python}'`)).output).toContain("hello by");
      const node = `fetch("https://api.example/public/n").then((r) => r.text()).then(console.log)`;
      expect((await sh(sandbox, `node -e '${node}'`)).output).toContain("hello by");
    });

    const url = "https://api.example/public/v";
    const vendored = `from pip._vendor import requests; print(requests.get("${url}").text)`;
    test.each([
      [
        "SSL_CERT_FILE",
        `/usr/bin/python3 -c 'import urllib.request; urllib.request.urlopen("${url}")'`,
      ],
      ["NODE_EXTRA_CA_CERTS", `node -e 'fetch("${url}").catch(() => process.exit(1))'`],
      ["REQUESTS_CA_BUNDLE", `/usr/bin/python3 -c '${vendored}'`],
      ["CURL_CA_BUNDLE", `curl -sS ${url}`],
      ["GIT_SSL_CAINFO", "git ls-remote https://git.example/repository.git"],
      [
        "PIP_CERT",
        "/usr/bin/python3 -m pip download -q --no-cache-dir --retries 0 --index-url https://pypi.example/simple -d /tmp/d tiny",
      ],
    ])("%s alone makes its programs believe the authority", async (variable, command) => {
      const alone = (value: string) =>
        sh(sandbox, `env -i PATH="$PATH" HOME="$HOME" ${variable}="${value}" ${command}`);
      const believing = await alone(`$${variable}`);
      expect([believing.code, believing.errors]).toEqual([0, ""]);
      const stranger = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=x";
      await sh(sandbox, `${stranger} -keyout /tmp/key -out /tmp/stranger.pem`);
      const { code } = await alone("/tmp/stranger.pem");
      // A distribution's git may read the system's bundle beside its own variable.
      expect(code !== 0 || variable === "GIT_SSL_CAINFO").toBe(true);
    });

    test("Java believes the authority", async (context) => {
      if ((await sh(sandbox, "command -v javac")).code !== 0) return context.skip("no Java inside");
      const source = `import java.net.*; public class T { public static void main(String[] a) throws Exception {
      System.out.print(new String(new URL("https://api.example/public/j").openStream().readAllBytes())); } }`;
      const script = `cat >/tmp/T.java <<'EOF'\n${source}\nEOF\njava -XX:TieredStopAtLevel=1 /tmp/T.java`;
      const outcome = await sh(sandbox, script);
      expect(failed(outcome)).toContain("hello by");
    });
  },
);
