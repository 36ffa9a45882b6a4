/**
 * Uses a vault from a process of its own: `vault-program.ts DIRECTORY PLACE WORD [ARGUMENT]`, where PLACE is `file` or
 * `keyring`. `count N` adds one N times to a number, `rotate` and `rotate-for-ever` seal all anew, `report` prints what is there.
 */
import { join } from "node:path";
import { createKeyFile } from "../../src/vault/key-file.ts";
import { createKeyring } from "../../src/vault/keyring.ts";
import { createVault } from "../../src/vault/vault.ts";

const [directory = "", place = "file", word = "", argument = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const keyring = createKeyring({ installation: directory });
const file = createKeyFile(join(directory, "key"));
const vault = createVault({ directory, places: place === "file" ? [file] : [keyring, file] });

async function count(times: number): Promise<void> {
  for (let done = 0; done < times; done++) {
    await vault.update(
      "login/counter",
      async (current) => Buffer.from(String(Number(Buffer.from(current ?? []).toString()) + 1)),
      signal,
    );
  }
}

async function report(): Promise<void> {
  const values: Record<string, string> = {};
  for (const { name } of await vault.list()) {
    values[name] = Buffer.from((await vault.read(name, signal)) ?? []).toString();
  }
  process.stdout.write(JSON.stringify({ values, key: await vault.describeKey() }));
}

process.stdout.write(word === "report" ? "" : "begun\n");
if (word === "count") await count(Number(argument));
if (word === "write") await vault.write("secret/a", Buffer.from(argument), signal);
if (word === "rotate") await vault.rotate(argument === "file" ? "file" : undefined, signal);
if (word === "destroy") await vault.destroy(signal);
while (word === "rotate-for-ever") await vault.rotate(undefined, signal);
if (word === "report") await report();
