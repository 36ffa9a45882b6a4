import { describe, expect, it } from "vitest";
import { compare } from "./comparison.ts";
import { listLibraries } from "./peers/docker.ts";
import { missedGates } from "./report.ts";

const machine = { processors: "", memoryGiB: 0, kernel: "", node: "", user: "", load: 0 };

function missed(times: Parameters<typeof compare>[0]): string[] {
  return missedGates({ machine, date: "", figures: compare(times) }).map(({ what }) => what);
}

describe("comparing with what people use instead", () => {
  it("fails a run in which docker is faster through the API, not one in which it is when typed", () => {
    const times = { "cg run": { p50: 30 }, "docker run": { p50: 20 } };
    expect(missed({ ...times, "cg create by API": { p50: 10 } })).toEqual([]);
    expect(missed({ ...times, "cg create by API": { p50: 21 } })).toEqual([
      "cg create by API to docker run",
    ]);
  });

  it("compares with nobody who was not measured", () => {
    const figures = compare({ "cg exec by API": { p50: 10 }, "docker exec": { p50: 40 } });
    expect(figures.map(({ what, value }) => [what, value])).toEqual([
      ["cg exec by API → first byte, p50", 10],
      ["docker exec → first byte, p50", 40],
      ["cg exec by API to docker exec", 0.25],
    ]);
  });
});

describe("the libraries of a program", () => {
  it("are the files that ldd names, each once, and not the program or the kernel's own", () => {
    const text = `/usr/bin/echo:
\tlinux-vdso.so.1 (0x00007ffd)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f01)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)
/usr/bin/sleep:
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f03)
`;
    expect(listLibraries(text)).toEqual([
      "/lib/x86_64-linux-gnu/libc.so.6",
      "/lib64/ld-linux-x86-64.so.2",
    ]);
  });
});
