import { define, provider, user } from "./definition.ts";

/** Codes of what sandbox providers make sandboxes with: engines, services, their accounts and images. */
export const BACKEND_CODES = define({
  PROVIDER_UNREACHABLE: provider(
    503,
    "Start the backend of that sandbox provider; `cattlegrid doctor` shows how.",
  ),
  PROVIDER_FORBIDDEN: provider(
    503,
    "Give this account access to the backend; `cattlegrid doctor` shows how.",
  ),
  PROVIDER_OUTDATED: provider(503, "Update the backend of that sandbox provider."),
  PROVIDER_FAILED: provider(502, "Try again; the backend's own log says more."),
  PROVIDER_CREDENTIAL_MISSING: user(
    401,
    "Give the key of that service's account; the provider's page says how.",
  ),
  PROVIDER_SETTING_AMBIGUOUS: user(
    409,
    "Let only one place say it: the vault (`cattlegrid secret rm`), the environment (`unset`), or config.yaml.",
  ),
  PROVIDER_SETTINGS_INVALID: user(400, "Correct the setting that is named."),
  PROVIDER_QUOTA_EXCEEDED: provider(
    503,
    "Remove sandboxes that nobody needs (`cattlegrid ls`, `cattlegrid rm`), or raise the account's limits.",
  ),
  PROVIDER_RATE_LIMITED: provider(503, "Wait a minute, then try again."),
  IMAGE_MISSING: provider(503, "Build or load the image that sandboxes are made from."),
  IMAGE_UNSUITABLE: provider(503, "Choose another image to make sandboxes from."),
});
