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
  const fourth = createProcessProvider("unused", "fourth");
  fourth.settings = async () => [
    { key: "host", value: "tcp://far", origin: "HOST_VARIABLE" },
    { key: "key", origin: "the vault" },
  ];
  fourth.probe = async () => {
    throw new CattlegridError("PROVIDER_UNSUPPORTED", "It is far away.", {
      hint: "Go there, or name a near one.",
    });
  };
  expect(await probeProviders([first, second, third, fourth], NEVER)).toMatchObject([
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
    {
      id: "fourth",
      status: "missing",
      probes: [
        {
          name: "settings",
          status: "ok",
          detail: "host tcp://far (from HOST_VARIABLE); key (from the vault)",
        },
        { name: "fourth", status: "missing", remedy: "Go there, or name a near one." },
      ],
    },
  ]);
});
