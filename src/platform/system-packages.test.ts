import { describe, expect, test } from "vitest";
import { parseDistribution, readDistribution, translateInstall } from "./system-packages.ts";

const HINT = "Install them: `sudo apt-get install crun libnftables1 uidmap`.";

describe("a hint that installs packages", () => {
  test.each([
    [
      "Debian",
      'ID=debian\nPRETTY_NAME="Debian 12"',
      "sudo apt-get install -y crun libnftables1 uidmap",
    ],
    [
      "Linux Mint",
      'ID=linuxmint\nID_LIKE="ubuntu debian"',
      "sudo apt-get install -y crun libnftables1 uidmap",
    ],
    ["Fedora", "ID=fedora", "sudo dnf install -y crun nftables shadow-utils"],
    [
      "Rocky",
      'ID="rocky"\nID_LIKE="rhel centos fedora"',
      "sudo dnf install -y crun nftables shadow-utils",
    ],
    ["Arch", "ID=arch", "sudo pacman -S --needed --noconfirm crun nftables shadow"],
    ["Alpine", "ID=alpine", "sudo apk add crun nftables shadow-uidmap"],
    ["anything else", "ID=else", "sudo apt-get install -y crun libnftables1 uidmap"],
  ])("is the command of %s", (_name, release, command) => {
    const { tool } = parseDistribution(release);
    expect(translateInstall(HINT, { tool, isRoot: false })).toBe(`Install them: \`${command}\`.`);
  });

  test("has no sudo for root, who may not have it", () => {
    expect(translateInstall(HINT, { tool: "apk", isRoot: true })).toBe(
      "Install them: `apk add crun nftables shadow-uidmap`.",
    );
    expect(translateInstall("`sudo sysctl -w a=1`", { isRoot: true })).toBe("`sysctl -w a=1`");
  });

  test("is left as it is when it installs nothing", () => {
    expect(translateInstall("List sandboxes with `cattlegrid ls`.", { isRoot: false })).toBe(
      "List sandboxes with `cattlegrid ls`.",
    );
  });
});

test("a system without a release file is unknown", () => {
  expect(readDistribution("/nowhere/os-release")).toEqual({
    name: "an unknown system",
    tool: undefined,
  });
});
