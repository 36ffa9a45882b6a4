import { describe, expect, test } from "vitest";
import { compilePolicy, type PolicyOptions } from "../policy/compile-policy.ts";
import { explainDenial, explainRemedy } from "./explain.ts";
import { forecastDecision } from "./forecast.ts";
import { readWish } from "./wish.ts";

const ORGANISATION = {
  layer: "organisation" as const,
  path: "/etc/cattlegrid/policy.yaml",
  text: "preset: open\ndeny: [secret.example]\nallow: [{ host: corp.example, addresses: private }]\n",
};

function deny(flags: Partial<PolicyOptions>, url: string, address?: string) {
  const { allow = [], deny: denied = [], ceilings = [] } = flags;
  const policy = compilePolicy({ preset: "locked", agentHosts: [], allow, deny: denied, ceilings });
  const wish = readWish(url, { address });
  if (!wish.ok) throw new TypeError(wish.problem);
  const { decision } = forecastDecision(policy, wish.value);
  if (decision.action === "allow") throw new TypeError(`${url} is allowed`);
  const http = wish.value.kind === "name" ? wish.value.http : undefined;
  const place = url.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return { decision: { ...decision, http }, where: { place, sandboxName: "box" } };
}

const ALLOW = "A person can allow it on the host with: cattlegrid policy allow box ";

describe("the remedy of a denial", () => {
  test.each([
    [{}, "a.example:443", undefined, `${ALLOW}a.example:443`],
    [{ allow: ["a.example"] }, "a.example:8443", undefined, `${ALLOW}a.example:8443`],
    [{ allow: ["a.example:80"] }, "https://a.example:80", undefined, `${ALLOW}a.example:80,opaque`],
    [{}, "93.184.215.14:443", undefined, `${ALLOW}93.184.215.14:443`],
    [
      { allow: ["a.example/a/**,GET"] },
      "https://a.example:443/b%20c?d=e",
      undefined,
      `${ALLOW}a.example:443/b%20c,GET`,
    ],
    [{ allow: ["a.example/a/**"] }, "https://a.example:443/a/%2e%2e", undefined, undefined],
    [{}, "169.254.169.254:80", undefined, undefined],
    [{}, "127.0.0.1:80", undefined, undefined],
    [{ allow: ["a.example:443"] }, "a.example:443", "169.254.169.254", undefined],
  ])("%j, %s → %s: %s", (...row) => {
    const [flags, url, address, remedy] = row;
    const { decision, where } = deny(flags, url, address);
    expect(explainRemedy(decision, where)).toBe(remedy);
  });

  test("of a deny rule is taking that rule away", () => {
    const { decision, where } = deny(
      { allow: ["a.example"], deny: ["a.example"] },
      "a.example:443",
    );
    expect(explainRemedy(decision, where)).toBe(
      `A person can allow it on the host with: cattlegrid policy rm box ${decision.rule?.id}`,
    );
  });

  test("of what a ceiling refuses lies with whoever writes the ceiling", () => {
    for (const { decision, where } of [
      deny({ allow: ["secret.example"], ceilings: [ORGANISATION] }, "secret.example:443"),
      deny(
        { allow: ["a.example:443,private"], ceilings: [ORGANISATION] },
        "a.example:443",
        "10.0.0.1",
      ),
    ]) {
      expect(explainRemedy(decision, where)).toMatch(
        /^Only whoever writes the organisation policy/,
      );
    }
  });
});

test("the text of a denial says who refused, what, by which rule, and what a person can do", () => {
  const { decision, where } = deny({ allow: ["a.example"] }, "a.example:22");
  expect(explainDenial(decision, where)).toBe(
    "Cattlegrid's egress policy refused a.example:22: a.example is allowed by rule a.example:443,tls, but not on port 22.\n" +
      "This is a decision of the policy and not a fault of the network; trying again will not help.\n" +
      "A person can allow it on the host with: cattlegrid policy allow box a.example:22\n",
  );
});
