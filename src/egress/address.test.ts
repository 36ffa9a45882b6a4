import fc from "fast-check";
import { isIPv6 } from "node:net";
import { describe, expect, test } from "vitest";
import { classifyAddress } from "./address-class.ts";
import { formatAddress, formatRange, parseAddress, parseRange, rangeContains } from "./address.ts";

describe("an address", () => {
  test.each([
    ["1.2.3.4", "1.2.3.4"],
    ["::", "::"],
    ["::1", "::1"],
    ["2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["fe80::1", "fe80::1"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
    ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
  ])("%s is %s", (text, canonical) => {
    expect(formatAddress(parseAddress(text)!)).toBe(canonical);
  });

  test.each([
    "1.2.3",
    "01.2.3.4",
    "0x1.2.3.4",
    "16909060",
    "1.2.3.4.",
    " 1.2.3.4",
    "fe80::1%lo",
    "",
    "::g",
  ])("%j is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("survives being written and read", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        fc.pre(isIPv6(text));
        const address = parseAddress(text)!;
        expect(parseAddress(formatAddress(address))).toEqual(address);
      }),
    );
  });

  test("lies in every range made of its own first bits and in no range that differs there", () => {
    const ipv6 = fc.bigInt({ min: 2n ** 64n, max: 2n ** 128n - 1n });
    fc.assert(
      fc.property(ipv6, fc.integer({ min: 1, max: 128 }), (value, length) => {
        const range = { family: 6 as const, base: value, length };
        const flipped = value ^ (1n << BigInt(128 - length));
        expect(rangeContains(range, { family: 6, value })).toBe(true);
        expect(rangeContains(range, { family: 6, value: flipped })).toBe(false);
      }),
    );
  });
});

test.each([
  ["10.0.0.0/8", "10.0.0.0/8"],
  ["10.0.0.1", "10.0.0.1/32"],
  ["::ffff:10.0.0.0/104", "10.0.0.0/8"],
  ["2001:db8::/32", "2001:db8::/32"],
])("the range %s is %s", (text, canonical) => {
  expect(formatRange(parseRange(text)!)).toBe(canonical);
});

test.each([
  "10.0.0.0/",
  "10.0.0.0/33",
  "10.0.0.0/-1",
  "10.0.0.0/8/8",
  "10.0.0.0/08",
  "::ffff:10.0.0.0/8",
  "x/8",
])("%j is no range", (text) => {
  expect(parseRange(text)).toBeUndefined();
});

describe("the class of an address", () => {
  test.each([
    ["8.8.8.8", "public"],
    ["2606:4700::1", "public"],
    ["64:ff9b::808:808", "public"],
    ["2002:808:808::1", "public"],
    ["10.1.2.3", "private"],
    ["172.31.255.255", "private"],
    ["192.168.0.1", "private"],
    ["100.64.0.1", "private"],
    ["198.18.0.1", "private"],
    ["203.0.113.80", "private"],
    ["240.0.0.1", "private"],
    ["fc00::1", "private"],
    ["2001:db8::1", "private"],
    ["64:ff9b::a00:1", "private"],
    ["2002:a00:1::", "private"],
    ["4000::1", "private"],
    ["0.0.0.0", "forbidden"],
    ["127.0.0.1", "forbidden"],
    ["127.255.255.254", "forbidden"],
    ["::", "forbidden"],
    ["::1", "forbidden"],
    ["::7f00:1", "forbidden"],
    ["::ffff:0:7f00:1", "forbidden"],
    ["::ffff:127.0.0.1", "forbidden"],
    ["169.254.0.1", "forbidden"],
    ["fe80::1", "forbidden"],
    ["224.0.0.251", "forbidden"],
    ["255.255.255.255", "forbidden"],
    ["ff02::1", "forbidden"],
    ["169.254.169.254", "forbidden"],
    ["100.100.100.200", "forbidden"],
    ["168.63.129.16", "forbidden"],
    ["192.0.0.192", "forbidden"],
    ["fd00:ec2::254", "forbidden"],
    ["64:ff9b::a9fe:a9fe", "forbidden"],
    ["64:ff9b:1::a00:1", "forbidden"],
    ["2002:7f00:1::", "forbidden"],
    ["2001:0:1::1", "forbidden"],
  ])("%s is %s", (text, expected) => {
    expect(classifyAddress(parseAddress(text)!).class).toBe(expected);
  });
});
