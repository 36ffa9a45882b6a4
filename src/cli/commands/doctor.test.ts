import { describe, expect, test } from "vitest";
import type { DoctorReport } from "../../protocol/doctor.ts";
import { chooseDefault, renderOther } from "./doctor.ts";

const ok = { name: "runtime", status: "ok", detail: "there" } as const;
const common = { name: "ceiling", status: "ok", detail: "none" } as const;
const away = {
  name: "backend",
  status: "missing",
  detail: "no answer",
  remedy: "start it",
} as const;

const REPORT: DoctorReport = {
  probes: [ok, common],
  providers: [
    { id: "first", status: "ok", probes: [ok] },
    { id: "second", status: "missing", probes: [away] },
  ],
};

describe("what doctor judges by", () => {
  test("is the first provider, when nobody said another, and the rest is shown beside", () => {
    expect(chooseDefault(REPORT, undefined)).toEqual({
      probes: [ok, common],
      providers: [REPORT.providers![1]],
    });
  });

  test("is the one that the settings name", () => {
    const wanted = { id: "second", origin: "CATTLEGRID_PROVIDER" };
    expect(chooseDefault(REPORT, wanted)).toEqual({
      probes: [away, common],
      providers: [REPORT.providers![0]],
    });
  });

  test.each([
    ["CATTLEGRID_PROVIDER", "unset CATTLEGRID_PROVIDER"],
    ["/home/ada/my state/config.yaml:3", "${EDITOR:-vi} '/home/ada/my state/config.yaml'"],
  ])("is nothing usable when %s names one that is not there", (origin, remedy) => {
    const { probes } = chooseDefault(REPORT, { id: "thrid", origin });
    expect(probes[0]).toEqual({
      name: "provider",
      status: "missing",
      detail: `${origin} names the sandbox provider thrid, and there is first or second`,
      remedy,
    });
  });

  test("is what an older daemon tells, which knows of one provider", () => {
    expect(chooseDefault({ probes: [ok] }, undefined)).toEqual({ probes: [ok], providers: [] });
  });
});

test("doctor shows of each other provider whether it can be used, why not, and what to do", () => {
  expect(renderOther(REPORT.providers![1]!)).toBe(
    "\n--provider second cannot be used here, which is no matter unless you want it:\n" +
      "MISSING  backend  no answer\n" +
      "                  remedy: start it\n",
  );
});
