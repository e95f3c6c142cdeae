/** The two ways to a verified identity: a window on this device, or the person's own phone. */
import type { Verified } from './filling'
import { answerIn, type Answer } from './message'
import { Problem, problemOf, refusalOf } from './problems'
import type { PhoneBegun, Relying } from './relying'

const LOOK_MS = 400

/** In `popup`, opened at the press itself and still empty. Throws Problem. */
export async function verifyHere(relying: Relying, popup: Window, redirectUri: string): Promise<Verified> {
  try {
    const begun = await relying.begin(redirectUri)
    const answer = await answerOf(popup, begun.authorization_url, new URL(redirectUri).origin)
    if (!answer) throw new Problem('closed')
    if (answer.state !== begun.state) throw new Problem('mixed', 'other_state')
    if (!answer.code) throw refusalOf(answer.error)
    return await relying.redeem(answer)
  } finally {
    popup.close()
  }
}

/** The answer of `popup`; null when it was closed without one. */
function answerOf(popup: Window, url: string, origin: string): Promise<Answer | null> {
  return new Promise((resolve) => {
    const finish = (answer: Answer | null) => {
      clearInterval(watch)
      window.removeEventListener('message', receive)
      resolve(answer)
    }
    const receive = (event: MessageEvent) => {
      const answer = answerIn(event, origin, popup)
      if (answer) finish(answer)
    }
    // The answer may still be on its way when its window has just closed.
    const watch = setInterval(() => popup.closed && (clearInterval(watch), setTimeout(finish, LOOK_MS, null)), LOOK_MS)
    window.addEventListener('message', receive)
    popup.location.href = url
  })
}

/** Waits until the person is done on her phone. Throws Problem; also what `signal` ends. */
export async function verifyOnPhone(
  relying: Relying,
  begun: PhoneBegun,
  opened: () => void,
  signal: AbortSignal
): Promise<Verified> {
  let losses = 0
  for (;;) {
    signal.throwIfAborted()
    try {
      const now = await relying.look(begun.id, signal)
      losses = 0
      if (now.status === 'verified' && now.identity) return now.identity
      if (now.status === 'failed') throw problemOf(400, { error: now.error })
      if (now.status === 'opened') opened()
    } catch (error) {
      // Looking is safe to repeat: a moment without a connection ends nothing.
      const passing = error instanceof Problem && error.words === 'away' && ++losses < 20
      if (!passing) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS * (losses + 1)))
  }
}
