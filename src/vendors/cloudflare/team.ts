/** The Cloudflare Zero Trust organisation that may ask, by its team name. */
export type CloudflareTeam = { readonly team: string }

/** `iss` of what Access signs for applications. */
export function teamUrl({ team }: CloudflareTeam): string {
  return `https://${team}.cloudflareaccess.com`
}

/** Where the keys are that Access signs with. */
export function teamKeysUrl(team: CloudflareTeam): string {
  return `${teamUrl(team)}/cdn-cgi/access/certs`
}
