/** What went wrong, as a key of i18n/*.json. The services' own code goes beside it, for who helps. Pure. */

export class Problem extends Error {
  constructor(
    readonly words: string,
    readonly code = ''
  ) {
    super(words)
  }
}

const OVER = ['state_unknown', 'code_refused', 'verification_unknown', 'bad_nonce']
const AWAY = ['provider_unreachable', 'provider_silent', 'provider_failed']

/** The problem behind an answer of a Route: the relying party's `{error}`, or the registry's own refusal. */
export function problemOf(status: number, body: unknown): Problem {
  const error = (body as { error?: unknown } | null)?.error
  const code = typeof error === 'string' ? error : String(status)
  if (code === 'access_refused') return new Problem('refused', code)
  if (OVER.includes(code)) return new Problem('over', code)
  if (AWAY.includes(code)) return new Problem('away', code)
  if (code === 'other_client' || code === 'other_redirect_uri' || code === 'unauthorized') return new Problem('setup', code)
  if (typeof error === 'string' && status === 502) return new Problem('untrusted', code)
  if (status === 401) return new Problem('loggedOut', code)
  if (status === 403) return new Problem('notAllowed', code)
  if (status === 404 || status === 405) return new Problem('setup', code)
  if (status >= 500) return new Problem('away', code)
  return new Problem('failed', code)
}

/** The problem of a window that came back without a code. */
export function refusalOf(error: string): Problem {
  return new Problem(error === 'access_denied' || error === 'consent_rejected' ? 'refused' : 'ended', error || 'no_code')
}
