import { Button, CircularLoader, NoticeBox, Tag } from '@dhis2/ui'
import React, { useEffect } from 'react'
import { type Filling, isChanged, stillVerified, type Verified } from './filling'
import type { Problem } from './problems'
import type { CaptureProps, FieldMetadata } from './props'
import type { PhoneBegun } from './relying'
import type { Setup } from './useSetup'
import { useVerification } from './useVerification'
import { isKey, type Words } from './words'

type Props = CaptureProps & { setup: Setup }

/** The field in the form: two buttons, then what was verified and what has been changed since. */
export function VerifyField(props: Props) {
  const { setup, viewMode } = props
  const { words, config, fault } = setup
  const { stage, here, phone, cancel } = useVerification(setup, props)
  if (fault) {
    return (
      <NoticeBox error title={words('setup')}>
        {words('configuration', { fault })}
      </NoticeBox>
    )
  }
  return (
    <section lang={setup.language} aria-live="polite" style={{ padding: '8px 0', display: 'grid', gap: 8 }}>
      {stage.at === 'start' && stage.problem && <ProblemNotice problem={stage.problem} words={words} />}
      {stage.at === 'start' && knownBefore(props) && <VerifiedTag words={words} />}
      {stage.at === 'start' && !viewMode && (
        <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8 }}>
          {config.ways.includes('here') && <Button primary onClick={here}>{words('verify')}</Button>}
          {config.ways.includes('phone') && <Button onClick={phone}>{words('phone')}</Button>}
        </div>
      )}
      {stage.at === 'window' && <Waiting text={words('waiting')} />}
      {stage.at === 'phone' && <OnPhone begun={stage.begun} opened={stage.opened} words={words} cancel={cancel} />}
      {stage.at === 'done' && <Done {...props} verified={stage.verified} filling={stage.filling} />}
    </section>
  )
}

/** Whether the form came with an identity verified before. */
function knownBefore({ setup, values }: Props): boolean {
  const alias = Object.keys(setup.config.fields).find((each) => setup.config.fields[each] === '@status')
  return alias !== undefined && String(values[alias] ?? '').startsWith('VERIFIED')
}

function VerifiedTag({ words }: { words: Words }) {
  return (
    <div>
      <Tag positive bold>
        {words('verified')}
      </Tag>
    </div>
  )
}

function Waiting({ text }: { text: string }) {
  return (
    <div style={{ display: 'flex', gap: 8, alignItems: 'center' }}>
      <CircularLoader extrasmall />
      {text}
    </div>
  )
}

function ProblemNotice({ problem, words }: { problem: Problem; words: Words }) {
  return (
    <NoticeBox warning title={words(isKey(problem.words) ? problem.words : 'failed')}>
      {problem.code && words('code', { code: problem.code })}
    </NoticeBox>
  )
}

interface OnPhoneProps {
  begun: PhoneBegun
  opened: boolean
  words: Words
  cancel: () => void
}

function OnPhone({ begun, opened, words, cancel }: OnPhoneProps) {
  // As an image the SVG can hold no script.
  const code = `data:image/svg+xml,${encodeURIComponent(begun.qr)}`
  return (
    <div style={{ display: 'grid', gap: 8, justifyItems: 'start' }}>
      <strong>{words('phoneTitle')}</strong>
      <span>{words('phoneScan')}</span>
      <img src={code} alt={begun.link} style={{ width: '100%', maxWidth: 220 }} />
      <a href={begun.link} target="_blank" rel="noreferrer" style={{ overflowWrap: 'anywhere' }}>
        {begun.link}
      </a>
      <span data-test="sign">{words('phoneSign', { sign: begun.sign })}</span>
      {opened && <Waiting text={words('phoneOpened')} />}
      <Button secondary onClick={cancel}>
        {words('cancel')}
      </Button>
    </div>
  )
}

type DoneProps = Props & { verified: Verified; filling: Filling }

function Done({ setup, verified, filling, values, fieldsMetadata, setFieldValue }: DoneProps) {
  const { words, config } = setup
  const vouched = filling.filled.filter((each) => each.vouched)
  const names = (aliases: string[]) => aliases.map((alias) => nameOf(fieldsMetadata[alias], alias)).join(', ')
  const changed = vouched.filter((each) => isChanged(each, values)).map((each) => each.alias)
  const kept = vouched.filter((each) => !changed.includes(each.alias)).map((each) => each.alias)
  const mark = Object.keys(fieldsMetadata).find((alias) => config.fields[alias] === '@verifiedFields')
  const still = stillVerified(filling.filled, values)
  useEffect(() => {
    if (mark) setFieldValue({ fieldId: mark, value: still, options: { touched: true } })
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the function is new at each render of the form
  }, [mark, still])
  const missing = new Set([...verified.withheld, ...verified.unreadable]).size
  const time = new Date(verified.verifiedAt).toLocaleString(setup.language)
  return (
    <>
      <VerifiedTag words={words} />
      <span>{words('verifiedOn', { provider: verified.provider, time })}</span>
      {kept.length > 0 && <span>{words('fieldsVerified', { fields: names(kept) })}</span>}
      {changed.length > 0 && <NoticeBox warning title={words('fieldsChanged', { fields: names(changed) })} />}
      {missing > 0 && <span>{words('withheld', { count: String(missing) })}</span>}
      {filling.unfit.length > 0 && <NoticeBox warning title={words('unfit', { fields: names(filling.unfit) })} />}
      {filling.unknown.length > 0 && (
        <NoticeBox warning title={words('setup')}>
          {words('unknownAliases', { fields: filling.unknown.join(', ') })}
        </NoticeBox>
      )}
    </>
  )
}

function nameOf(field: FieldMetadata | undefined, alias: string): string {
  return field?.formName || field?.name || alias
}
