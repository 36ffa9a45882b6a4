import { createServer, type Server } from "node:net";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunningSandbox } from "../../sandbox/provider.ts";
import {
  answer,
  run,
  SandboxYard,
  sh,
  succeeding,
  type Difference,
  type Kernel,
  type MakeProvider,
} from "./sandbox-yard.ts";
import { SYSTEM_CALLS } from "./system-calls.ts";

/** What harms nobody where the kernel is the sandbox's own. */
const OF_A_SHARED_KERNEL = new Set([
  "unshare -U true",
  "unshare -r true",
  "kill -9 1; kill -0 1 && false",
]);

export function describeIsolation(
  makeProvider: MakeProvider,
  kernel: Kernel,
  differences: readonly Difference[],
): void {
  describe("isolation", () => {
    let yard: SandboxYard;
    let sandbox: RunningSandbox;
    let other: RunningSandbox;
    beforeAll(async () => {
      yard = new SandboxYard(makeProvider);
      const workspace = { path: yard.makeDirectory("project"), mode: "direct" as const };
      sandbox = await yard.start({ workspace });
      other = await yard.start();
    });
    afterAll(async () => yard.close());

    test("the agent is an ordinary user without capabilities, and can gain none", async () => {
      expect(await answer(sandbox, "id -u; id -un")).toBe("1000\nagent");
      const status = await answer(sandbox, "cat /proc/self/status");
      for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) {
        expect(status).toContain(`Cap${set}:\t0000000000000000`);
      }
      expect(status).toContain("NoNewPrivs:\t1");
      // A kernel of the sandbox's own needs no filter before it.
      expect(status).toMatch(kernel === "host" ? /Seccomp:\t2/ : /Seccomp:\t[02]/);
      const init = await answer(sandbox, "cat /proc/1/status");
      expect(init).toContain("CapBnd:\t0000000000000000");
      expect(init).toContain("NoNewPrivs:\t1");
    });

    test("no id inside stands for the host's root", async (context) => {
      if (kernel === "own") context.skip("needs the host's kernel: this one maps no ids");
      if (differences.includes("host-ids")) context.skip("needs ids of the sandbox's own");
      const map = await answer(sandbox, "cat /proc/self/uid_map");
      const lines = map.split("\n").map((line) => line.trim().split(/\s+/).map(Number));
      expect(lines.every(([, outside]) => outside !== 0 || process.getuid?.() !== 0)).toBe(true);
    });

    test("the host's home, files and sockets are not there", async () => {
      const secret = join(mkdtempSync(join(tmpdir(), "cg-secret-")), "file");
      writeFileSync(secret, "host secret", { mode: 0o644 });
      const home = process.env["HOME"] ?? "/root";
      const ofTheHost = differences.includes("image") ? [] : ["/etc/shadow", "/boot"];
      const hidden = [secret, "/var/run/docker.sock", "/run/docker.sock", ...ofTheHost];
      expect(
        await succeeding(
          sandbox,
          hidden.map((each) => `ls -d ${each}`),
        ),
      ).toEqual([]);
      rmSync(join(secret, ".."), { recursive: true });
      expect(await answer(sandbox, `ls -A ${home} 2>/dev/null || true`)).toBe("");
      expect(await answer(sandbox, "ls -A /run /tmp /root /srv /sys | grep -v :")).not.toMatch(
        /sock|dbus|systemd/,
      );
      expect(await answer(sandbox, "cat /etc/passwd | wc -l")).toBe("3");
    });

    test("no mount shows where the host keeps the sandbox", async (context) => {
      if (differences.includes("mounts-name-the-host")) {
        context.skip("needs a table of mounts that does not name the host's directories");
      }
      const mounts = await answer(sandbox, "cat /proc/self/mountinfo /proc/mounts");
      const workspace = `${yard.directory}/project`;
      expect(mounts.replaceAll(workspace, "")).not.toContain(yard.directory);
      expect(mounts).toContain(workspace);
    });

    test("the root file system cannot be written, and home and temporary directories can", async () => {
      const writes = (paths: string): string[] => paths.split(" ").map((path) => `echo x >${path}`);
      expect(await succeeding(sandbox, writes("/x /etc/x /etc/hosts /var/x /usr/bin/env"))).toEqual(
        [],
      );
      const open = writes("~/x /tmp/x /var/tmp/y /dev/shm/x");
      if (!differences.includes("closed-run")) open.push(...writes("/run/x"));
      // An image's own programs are the image's.
      if (!differences.includes("image")) open.push(...writes("/usr/local/bin/x"));
      expect(await succeeding(sandbox, open)).toEqual(open);
    });

    test("kernel settings cannot be written and revealing files are masked", async (context) => {
      if (kernel === "own") context.skip("needs the host's kernel: these are the sandbox's own");
      const names =
        "kernel/hostname kernel/core_pattern net/ipv4/ip_forward user/max_user_namespaces";
      const writes = names.split(" ").map((name) => `echo 1 >/proc/sys/${name}`);
      expect(await succeeding(sandbox, writes)).toEqual([]);
      expect((await sh(sandbox, "echo b >/proc/sysrq-trigger")).code).not.toBe(0);
      expect(await answer(sandbox, "cat /proc/keys /proc/timer_list 2>/dev/null || true")).toBe("");
      expect((await sh(sandbox, "head -c1 /proc/kcore")).output).toBe("");
      expect((await sh(sandbox, "ls /sys/kernel /sys/fs /sys/class")).code).not.toBe(0);
    });

    const attacks = [
      "unshare -U true",
      "unshare -r true",
      "unshare -n true",
      "nsenter -t 1 -n true",
      "nsenter -t 1 -m true",
      "mount -t tmpfs none /tmp",
      "mount --bind /usr /tmp",
      "umount /proc",
      "PATH=$PATH:/usr/sbin nft list ruleset",
      "PATH=$PATH:/usr/sbin nft flush ruleset",
      "PATH=$PATH:/usr/sbin ip link set lo down",
      "PATH=$PATH:/usr/sbin ip route del local 0.0.0.0/0 dev lo table local",
      "PATH=$PATH:/usr/sbin ip link add type veth",
      "mknod /tmp/device b 8 0",
      "hostname other",
      "chroot / true",
      "kill -9 1; kill -0 1 && false",
      "cp /bin/sh ~/s && chmod u+s ~/s && ~/s -pc 'test $(id -u) = 0'",
    ];
    const isHarm = (attack: string): boolean =>
      kernel === "host" || !OF_A_SHARED_KERNEL.has(attack);
    test.each(attacks.filter(isHarm))("%s fails", async (attack) => {
      expect((await sh(sandbox, attack)).code).not.toBe(0);
      expect((await sh(sandbox, "true")).code).toBe(0);
    });

    test("what the agent has no use for is refused by system call, and its twins work", async (context) => {
      if (kernel === "own") context.skip("needs the host's kernel: this one answers calls itself");
      const python = (await sh(sandbox, "test -x /usr/bin/python3")).code === 0;
      if (!python) return;
      const { output, errors } = await run(sandbox, ["/usr/bin/python3", "-"], {
        input: SYSTEM_CALLS,
      });
      expect(errors).toBe("");
      const results = JSON.parse(output) as Record<string, boolean>;
      const open = Object.entries(results).filter(
        ([name, ok]) => ok !== name.startsWith("allowed "),
      );
      expect(open).toEqual([]);
      expect(Object.keys(results).length).toBeGreaterThan(15);
    });

    test("two sandboxes see neither processes nor files nor shared memory of each other", async () => {
      await answer(
        sandbox,
        "sleep 7777 & echo mine >~/mine; echo mine >/dev/shm/mine; echo m >/tmp/m",
      );
      expect(await answer(other, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")).not.toContain("7777");
      expect(await answer(other, "ls -A ~ /dev/shm /tmp | grep -v :")).not.toMatch(/mine|m$/);
      expect(await answer(other, "hostname")).not.toBe(await answer(sandbox, "hostname"));
    });

    test("a server inside is reached inside, and from no other sandbox nor the host", async () => {
      const script = (port: number): string => `
import socket, threading
s = socket.socket(); s.bind(("127.0.0.1", ${port})); s.listen()
a = socket.socket(socket.AF_UNIX); a.bind("\\0cattlegrid-test"); a.listen()
print("up", flush=True); c, _ = s.accept(); c.send(b"hello")`;
      const argv = ["/usr/bin/python3", "-c", script(4567)];
      const server = await sandbox.exec({ argv }, new AbortController().signal);
      await once(server.output, "data");
      const client = (family: string, address: string): string =>
        `/usr/bin/python3 -c 'import socket; s = socket.socket(socket.${family}); s.settimeout(2); s.connect(${address}); print(s.recv(9))'`;
      expect((await sh(other, client("AF_INET", '("127.0.0.1", 4567)'))).code).not.toBe(0);
      const abstract = client("AF_UNIX", '"\\0cattlegrid-test"').replace("; print(s.recv(9))", "");
      expect((await sh(other, abstract)).code).not.toBe(0);
      expect((await sh(sandbox, abstract)).code).toBe(0);
      expect(await answer(sandbox, client("AF_INET", '("127.0.0.1", 4567)'))).toBe("b'hello'");
      await server.ended;
    });

    test("no byte of a connection gets past the capture sockets, to the host's loopback neither", async () => {
      const host: Server = createServer((socket) => socket.end("from the host")).listen(
        0,
        "127.0.0.1",
      );
      await once(host, "listening");
      const address = host.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      const connect = (target: string): string =>
        `/usr/bin/python3 -c 'import socket; s = socket.create_connection((${target}), 1); s.settimeout(1); print(s.recv(99))'`;
      const targets = [`"127.0.0.1", ${port}`, '"1.1.1.1", 80', '"2606:4700::1111", 80'];
      const replies = await Promise.all(targets.map(async (each) => sh(sandbox, connect(each))));
      expect(replies.map(({ output }) => output)).toEqual(["", "", ""]);
      const refused = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);";
      const datagram = `/usr/bin/python3 -c '${refused} s.sendto(b"x", ("1.1.1.1", 123))'`;
      expect((await sh(sandbox, datagram)).code).not.toBe(0);
      host.close();
    });
  });
}
