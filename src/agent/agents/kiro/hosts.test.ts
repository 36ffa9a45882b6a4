import { expect, test } from "vitest";
import { hostsOf, KIRO_REGIONS } from "./hosts.ts";
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

test("installation, sign-in, inference and management are open in both regions", () => {
  for (const region of KIRO_REGIONS) {
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

test("one region alone opens no host of the other", () => {
  expect(hostsOf(["us-east-1"]).filter(({ host }) => host.includes("eu-central-1"))).toEqual([]);
});
