import { useCallback, useEffect, useRef, useState } from 'react'
import { type Filling, fillingOf, type Verified } from './filling'
import { Problem } from './problems'
import type { CaptureProps } from './props'
import type { PhoneBegun } from './relying'
import type { Setup } from './useSetup'
import { verifyHere, verifyOnPhone } from './verifying'

export type Stage =
  | { at: 'start'; problem?: Problem }
  | { at: 'window' }
  | { at: 'phone'; begun: PhoneBegun; opened: boolean }
  | { at: 'done'; verified: Verified; filling: Filling }

export interface Verification {
  stage: Stage
  here: () => void
  phone: () => void
  cancel: () => void
}

/** One verification of this form: how it stands, and the ways to begin and end it. */
export function useVerification(setup: Setup, props: CaptureProps): Verification {
  const [stage, setStage] = useState<Stage>({ at: 'start' })
  const { config, relying } = setup
  const running = useRef<AbortController | null>(null)
  const form = useRef(props)
  form.current = props
  useEffect(() => () => running.current?.abort(), [])

  const take = useCallback(
    (verified: Verified) => {
      const { fieldsMetadata, setFieldValue } = form.current
      const filling = fillingOf(verified, config, fieldsMetadata)
      for (const { alias, value } of filling.filled) {
        setFieldValue({ fieldId: alias, value, options: { touched: true } })
      }
      setStage({ at: 'done', verified, filling })
    },
    [config]
  )

  const fail = (error: unknown) =>
    setStage({ at: 'start', problem: error instanceof Problem ? error : new Problem('failed', 'unforeseen') })

  const here = () => {
    // Opened at once, while the press still counts as the person's own wish.
    const popup = window.open('', '', 'popup=true,width=520,height=820')
    if (!popup) return fail(new Problem('blocked'))
    setStage({ at: 'window' })
    const page = config.redirectUri || new URL('callback.html', window.location.href).href
    verifyHere(relying, popup, page).then(take, fail)
  }

  const phone = async () => {
    const control = new AbortController()
    running.current = control
    try {
      const begun = await relying.beginPhone()
      setStage({ at: 'phone', begun, opened: false })
      const opened = () => setStage({ at: 'phone', begun, opened: true })
      take(await verifyOnPhone(relying, begun, opened, control.signal))
      void relying.cancel(begun.id) // what waited there is no longer needed
    } catch (error) {
      if (!control.signal.aborted) fail(error)
    }
  }

  const cancel = () => {
    running.current?.abort()
    if (stage.at === 'phone') void relying.cancel(stage.begun.id)
    setStage({ at: 'start' })
  }

  return { stage, here, phone, cancel }
}
