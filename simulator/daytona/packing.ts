import { collect } from "./toolbox/collecting.ts";
import type { Machine } from "./machine.ts";

/** The home directory of a machine as a tar archive. */
export async function pack(machine: Machine): Promise<Buffer> {
  const { output } = await collect(
    await machine.run({ argv: ["tar", "-cf", "-", "-C", machine.home, "."] }),
  );
  return output;
}

export async function unpack(machine: Machine, files: Buffer): Promise<void> {
  const program = await machine.run({ argv: ["tar", "-xf", "-", "-C", machine.home] });
  program.input.end(files);
  const { ending, errors } = await collect(program);
  if (ending.code !== 0) throw new Error(`the snapshot cannot be unpacked: ${errors.toString()}`);
}
