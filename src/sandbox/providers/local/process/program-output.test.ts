import { once } from "node:events";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { openPipe } from "../../../../platform/native/descriptor.ts";
import { readPipe, type ProgramOutput } from "./program-output.ts";

interface Writing {
  output: ProgramOutput;
  writer: Socket;
}

function openOutput(): Writing {
  const { readFd, writeFd } = openPipe();
  const writer = new Socket({ fd: writeFd, readable: false, writable: true });
  return { output: readPipe(readFd), writer };
}

async function readAll(output: ProgramOutput): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const bytes of output) chunks.push(bytes as Buffer);
  return Buffer.concat(chunks);
}

/** What a program that was killed leaves gets no more time than this. */
async function untilLate(output: ProgramOutput): Promise<void> {
  output.endProgram(true);
  await new Promise((resolve) => setTimeout(resolve, 0));
}

// The pipe, the socket that reads it and the output each hold a part of the larger ones.
test.each([1_000, 66_000, 100_000, 130_000, 180_000])(
  "a reader that comes after the program's end and its grace still gets all %i bytes",
  async (size) => {
    const { output, writer } = openOutput();
    const written = Buffer.alloc(size, "0123456789abcdef");
    output.read(0);
    writer.end(written);
    await once(writer, "close");
    await untilLate(output);
    expect((await readAll(output)).equals(written)).toBe(true);
    await output.done;
  },
);

test("a writer that outlives the program does not keep the output open", async () => {
  const { output, writer } = openOutput();
  writer.write("last");
  await once(output, "readable");
  await untilLate(output);
  expect((await readAll(output)).toString()).toBe("last");
  writer.destroy();
});
