import React from 'react'
import type { CaptureProps } from './props'
import { useSetup } from './useSetup'
import { VerifyField } from './VerifyField'

/** What the Capture app shows in the form, once the configuration is there. */
export default function Plugin(props: CaptureProps) {
  const setup = useSetup()
  if (!setup.ready || !props.fieldsMetadata) return null
  return <VerifyField {...props} setup={setup} />
}
