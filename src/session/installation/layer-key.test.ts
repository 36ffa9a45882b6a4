import { expect, test } from "vitest";
import { findLayer, layerName } from "./layer-key.ts";

const key = { agent: "tool", recipe: "0a1b2c3d", userland: "glibc-2.36", mirrored: false };
const mirrored = { ...key, mirrored: true };

test("a layer is found again by the key it was named with", () => {
  expect(findLayer(key, [layerName(key, "2.21.2")])).toBe("tool-2.21.2-0a1b2c3d-glibc-2.36");
});

test("of several versions the newest is taken, by number and not by letter", () => {
  const layers = ["2.9.10", "2.21.2", "2.9.9"].map((version) => layerName(key, version));
  expect(findLayer(key, layers)).toBe(layerName(key, "2.21.2"));
});

test.each([
  ["another agent", "other-1.0.0-0a1b2c3d-glibc-2.36"],
  ["an agent whose name begins alike", "tool-box-1.0.0-0a1b2c3d-glibc-2.36"],
  ["another C library", "tool-1.0.0-0a1b2c3d-musl"],
  ["a newer C library", "tool-1.0.0-0a1b2c3d-glibc-2.39"],
  ["something unfinished", "tool-1.0.0-0a1b2c3d-glibc-2.36.new"],
  ["another installer", layerName({ ...key, recipe: "3c2b1a0d" }, "1.0.0")],
  ["a mirror", layerName(mirrored, "1.0.0")],
])("the layer of %s is not taken", (_title, layer) => {
  expect(findLayer(key, [layer])).toBeUndefined();
});

test("what came from a mirror is found where mirrors are in force, and nothing else is", () => {
  const layers = [layerName(key, "3.0.0"), layerName(mirrored, "1.0.0")];
  expect(findLayer(mirrored, layers)).toBe(layerName(mirrored, "1.0.0"));
});

test("a wanted version is found or nothing is, though there are newer ones", () => {
  const layers = [layerName(key, "3.0.0"), layerName(key, "2.1.0")];
  expect(findLayer({ ...key, version: "2.1.0" }, layers)).toBe(layerName(key, "2.1.0"));
  expect(findLayer({ ...key, version: "2.0.0" }, layers)).toBeUndefined();
});
