import { describe, expect, test } from "vitest";
import { hostsIn } from "../../regions.ts";
import { shell } from "../shell/shell.ts";
import { DEFAULT_REGIONS, KIRO_REGIONS } from "./hosts.ts";
import { kiro } from "./kiro.ts";

const names = kiro.hosts.map(({ host }) => host);

test("every host is an exact name with a reason", () => {
  for (const { host, reason } of kiro.hosts) {
    expect(host).toMatch(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
    expect(reason).not.toBe("");
  }
  expect(new Set(names).size).toBe(names.length);
});

test("telemetry, storage and pages for the browser stay closed", () => {
  const forbidden = /telemetry|cognito|s3|^app\.kiro\.dev|awsapps|github/;
  expect(names.filter((name) => forbidden.test(name))).toEqual([]);
});

const every = Object.values(KIRO_REGIONS).flat();

function namesIn(...regions: string[]): string[] {
  return hostsIn(kiro, regions).map(({ host }) => host);
}

test("every host of every region is an exact name of Kiro or its sign-in", () => {
  for (const { host } of every) expect(host).toMatch(/^[a-z0-9.-]+\.(kiro\.dev|amazonaws\.com)$/);
});

test("installation, sign-in, inference and management are open in both default regions", () => {
  for (const region of DEFAULT_REGIONS) {
    expect(names).toEqual(
      expect.arrayContaining([
        "cli.kiro.dev",
        "prod.download.cli.kiro.dev",
        `oidc.${region}.amazonaws.com`,
        `runtime.${region}.kiro.dev`,
        `q.${region}.amazonaws.com`,
        `management.${region}.kiro.dev`,
      ]),
    );
  }
});

describe("a chosen region", () => {
  test("opens no model of another one", () => {
    const frankfurt = namesIn("eu-central-1");
    expect(frankfurt).toContain("runtime.eu-central-1.kiro.dev");
    expect(frankfurt).not.toContain("runtime.us-east-1.kiro.dev");
    expect(frankfurt).not.toContain("q.us-east-1.amazonaws.com");
  });

  test.each(["us-gov-east-1", "us-gov-west-1"])("of GovCloud stays in it: %s", (region) => {
    const found = namesIn(region);
    expect(found).toEqual([
      "cli.kiro.dev",
      "prod.download.cli.kiro.dev",
      `oidc.${region}.amazonaws.com`,
      `q.${region}.amazonaws.com`,
      `q-fips.${region}.amazonaws.com`,
    ]);
  });

  test("that has only a directory adds its sign-in to the profile's region", () => {
    const both = namesIn("eu-central-1", "eu-west-1");
    expect(both).toEqual([...namesIn("eu-central-1"), "oidc.eu-west-1.amazonaws.com"]);
  });

  test("that is none is refused, with those there are", () => {
    const refusal = { code: "AGENT_REGION_UNKNOWN", hint: expect.stringContaining("eu-central-1") };
    expect(() => namesIn("mars-1")).toThrow(expect.objectContaining(refusal));
    const none = { code: "AGENT_REGION_UNKNOWN", hint: expect.stringContaining("no regions") };
    expect(() => hostsIn(shell, ["us-east-1"])).toThrow(expect.objectContaining(none));
  });
});
