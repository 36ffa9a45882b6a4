import type { PolicyHost } from "./policy-host.ts";

function hosts(reason: string, names: readonly string[]): readonly PolicyHost[] {
  return names.map((host) => ({ host, reason }));
}

/** What building software usually fetches from: package registries, toolchains and forges. */
export const DEVELOPMENT_HOSTS: readonly PolicyHost[] = [
  ...hosts("npm packages", ["registry.npmjs.org", "registry.yarnpkg.com"]),
  ...hosts("Node.js releases", ["nodejs.org"]),
  ...hosts("Python packages", ["pypi.org", "files.pythonhosted.org"]),
  ...hosts("Rust crates", ["crates.io", "index.crates.io", "static.crates.io"]),
  ...hosts("Rust toolchains", ["static.rust-lang.org"]),
  ...hosts("Go modules", ["proxy.golang.org", "sum.golang.org"]),
  ...hosts("Java packages", ["repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org"]),
  ...hosts("Gradle releases", ["services.gradle.org", "downloads.gradle.org"]),
  ...hosts("Ruby gems", ["rubygems.org", "index.rubygems.org"]),
  ...hosts("PHP packages", ["packagist.org", "repo.packagist.org"]),
  ...hosts(".NET packages", ["api.nuget.org"]),
  ...hosts("Debian and Ubuntu packages", [
    "deb.debian.org",
    "security.debian.org",
    "archive.ubuntu.com",
    "security.ubuntu.com",
  ]).flatMap((host) => [host, { ...host, port: 80 }]),
  ...hosts("Alpine packages", ["dl-cdn.alpinelinux.org"]),
  ...hosts("repositories, over https", [
    "github.com",
    "codeload.github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
  ]),
  ...hosts("the forge's API", ["api.github.com"]),
  ...hosts("files of repositories and releases", [
    "raw.githubusercontent.com",
    "objects.githubusercontent.com",
    "release-assets.githubusercontent.com",
  ]),
  ...hosts("repositories, over ssh", [
    "github.com",
    "gitlab.com",
    "bitbucket.org",
    "codeberg.org",
  ]).map((host) => ({ ...host, port: 22 })),
];
