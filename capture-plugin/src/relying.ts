/**
 * The relying party, asked through the registry's Routes with the session of who sits before the form.
 *
 * State, nonce and the PKCE verifier are made there, new for each attempt, and only the state comes here: a browser that
 * does not know verifier and nonce can't be made to redeem somebody else's code, nor can a page that reads its memory.
 */
import type { Config } from './config'
import type { Verified } from './filling'
import { Problem, problemOf } from './problems'

const ATTRIBUTES = 'application/vnd.dhis2.attributes+json'
const WAIT_SECONDS = 10

export interface Begun {
  authorization_url: string
  state: string
  expires_in: number
}

export interface PhoneBegun {
  id: string
  link: string
  qr: string
  sign: string
  expires_in: number
}

export interface PhoneState {
  status: 'waiting' | 'opened' | 'verified' | 'failed'
  error?: string
  identity?: Verified
}

export class Relying {
  constructor(
    private readonly api: string,
    private readonly config: Config,
    private readonly language: string
  ) {}

  /** Where the provider's window goes. */
  begin(redirectUri: string): Promise<Begun> {
    const body = { client: this.config.client, redirect_uri: redirectUri, ui_locales: this.language }
    return this.run(this.config.routes.authorization, 'POST', body)
  }

  /** The verified person behind a code. It is good once: never sent twice. */
  redeem(answer: { code: string; state: string; iss: string }): Promise<Verified> {
    const body = { client: this.config.client, code: answer.code, state: answer.state, grant_type: 'authorization_code' }
    return this.run(this.config.routes.identity, 'POST', answer.iss ? { ...body, iss: answer.iss } : body)
  }

  beginPhone(): Promise<PhoneBegun> {
    return this.run(this.config.routes.verifications, 'POST', { client: this.config.client, ui_locales: this.language })
  }

  /** How it stands; answers when that changes, or after a while. */
  look(id: string, signal: AbortSignal): Promise<PhoneState> {
    return this.run(this.config.routes.verifications, 'GET', undefined, `/${encodeURIComponent(id)}?wait=${WAIT_SECONDS}`, signal)
  }

  async cancel(id: string): Promise<void> {
    await this.run(this.config.routes.verifications, 'DELETE', undefined, `/${encodeURIComponent(id)}`).catch(() => undefined)
  }

  private async run<T>(route: string, method: string, body?: unknown, path = '', signal?: AbortSignal): Promise<T> {
    let answer: Response
    try {
      answer = await fetch(`${this.api}/routes/${encodeURIComponent(route)}/run${path}`, {
        method,
        credentials: 'include',
        signal,
        headers: { accept: ATTRIBUTES, 'content-type': 'application/json', 'x-requested-with': 'XMLHttpRequest' },
        body: body === undefined ? undefined : JSON.stringify(body)
      })
    } catch (error) {
      if (signal?.aborted) throw error
      throw new Problem('away', 'no_connection')
    }
    if (answer.status === 204) return undefined as T
    const said: unknown = await answer.json().catch(() => null)
    if (!answer.ok) throw problemOf(answer.status, said)
    if (said === null) throw new Problem('setup', 'no_json')
    return said as T
  }
}
