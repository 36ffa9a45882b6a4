import { expect, test } from "vitest";
import { layerIdOf, layerName } from "../../../storage/directories.ts";
import { parseMountTable } from "../keeper/mount-table.ts";
import { rootLayout } from "./root-layout.ts";

const SPECIFICATION = {
  id: "a",
  name: "a",
  workspace: { path: "/home/alice/deep/project", mode: "direct" as const },
  protectedPaths: ["/home/alice/deep/project/.git/hooks", "/home/alice/deep/projects/other"],
  homeLayers: [],
  toolchains: ["/opt/tool"],
  environment: {},
  certificates: [],
  limits: {},
};

test("every mount point comes after its parents, and only paths of the workspace are protected", () => {
  const layout = rootLayout({
    specification: SPECIFICATION,
    systemNames: [{ name: "bin", link: "usr/bin" }, { name: "lib" }],
    toolchainSources: ["/real/tool"],
  });
  const { directories } = layout;
  for (const [index, directory] of directories.entries()) {
    const parent = directory.slice(0, Math.max(0, directory.lastIndexOf("/")));
    expect(parent === "" || directories.indexOf(parent) < index).toBe(true);
  }
  expect(directories).toContain("home/alice/deep/project");
  expect(layout.links).toEqual([
    { name: "bin", target: "usr/bin" },
    { name: "var/tmp", target: "../tmp" },
  ]);
  expect(layout.trees.map(({ source, readonly }) => [source, readonly])).toEqual([
    ["/home/alice/deep/project", false],
    ["/real/tool", true],
    ["/lib", true],
  ]);
  expect(layout.trees[0]?.protectedPaths).toEqual([".git/hooks"]);
  expect(layout.targets.map(({ path }) => path)).toEqual([
    "/lib",
    "/opt/tool",
    "/home/alice/deep/project",
  ]);
});

test("a workspace below a writable directory needs no mount point in the root", () => {
  const workspace = { path: "/tmp/x/project", mode: "readonly" as const };
  const layout = rootLayout({
    specification: { ...SPECIFICATION, workspace, toolchains: [] },
    systemNames: [],
    toolchainSources: [],
  });
  expect(layout.directories.filter((each) => each.startsWith("tmp/"))).toEqual([]);
  expect(layout.trees[0]).toMatchObject({ readonly: true, protectedPaths: [] });
});

test.each(["kiro-2.1", "a/b:c,d\\e", "under_score", ".hidden", "ünïcode", "_41_"])(
  "the layer id %s becomes a plain name and comes back",
  (id) => {
    const name = layerName(id);
    expect(name).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9_.-]*$/);
    expect(layerIdOf(name)).toBe(id);
  },
);

test("mount points with spaces and backslashes are read as they are", () => {
  const table = "36 35 98:0 /r /a\\040b\\134c ro,nosuid - ext4 /dev/sda rw\n";
  expect(parseMountTable(table)).toEqual([{ path: "/a b\\c", readonly: true }]);
});
