import { expect, test } from "vitest";
import { createProcessProvider } from "../../test/support/process-provider.ts";
import { CattlegridError } from "../errors/error.ts";
import { probeProviders } from "./provider-health.ts";

const NEVER = new AbortController().signal;

test("each provider is tried, and one that cannot be asked hides no other", async () => {
  const first = createProcessProvider("unused");
  const second = createProcessProvider("unused", "second");
  second.probe = async () => {
    throw new CattlegridError("DEPENDENCY_MISSING", "The backend is not installed.", {
      hint: "Install it: `sudo apt-get install backend`.",
    });
  };
  const third = createProcessProvider("unused", "third");
  third.probe = async () => [
    { name: "one", status: "ok", detail: "there" },
    { name: "two", status: "degraded", detail: "half there" },
  ];
  expect(await probeProviders([first, second, third], NEVER)).toMatchObject([
    { id: "process", status: "ok", probes: [{ name: "process" }] },
    {
      id: "second",
      status: "missing",
      probes: [
        {
          name: "second",
          status: "missing",
          detail: "The backend is not installed.",
          remedy: "sudo apt-get install backend",
        },
      ],
    },
    { id: "third", status: "degraded", probes: [{ name: "one" }, { name: "two" }] },
  ]);
});
