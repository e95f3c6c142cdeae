/** The answer that the provider's window hands over: believed only from our own page, in our own window. Pure. */

export const MESSAGE = 'janani-identity'

export interface Answer {
  code: string
  state: string
  error: string
  iss: string
}

interface Arrived {
  origin: string
  source: unknown
  data: unknown
}

/** The answer in `message`; null for anything that is not from `window` of `origin` and of our form. */
export function answerIn(message: Arrived, origin: string, window: unknown): Answer | null {
  if (message.origin !== origin || message.source !== window || window === null) return null
  const data = message.data as Record<string, unknown> | null
  if (typeof data !== 'object' || data === null || data.type !== MESSAGE) return null
  const text = (name: string) => (typeof data[name] === 'string' ? (data[name] as string) : '')
  return { code: text('code'), state: text('state'), error: text('error'), iss: text('iss') }
}
