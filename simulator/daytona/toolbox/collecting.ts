import type { Readable } from "node:stream";
import type { Program, ProgramEnding } from "../machine.ts";

export interface Collected {
  output: Buffer;
  errors: Buffer;
  ending: ProgramEnding;
}

/** Reads a program to its end. */
export async function collect(program: Program): Promise<Collected> {
  const [output, errors] = await Promise.all([read(program.output), read(program.errors)]);
  return { output, errors, ending: await program.ended };
}

async function read(stream: Readable | undefined): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
