/** What the Capture app passes to a form-field plugin (reference §11.3). Aliases are `IdFromPlugin` of its form. */
export interface FieldMetadata {
  id: string
  formName?: string
  name?: string
  type?: string
  optionSet?: { options?: { code?: string; value?: unknown; id?: string }[] } | null
  disabled?: boolean
}

export interface SetFieldValue {
  fieldId: string
  value: FieldValue
  options?: { valid?: boolean; touched?: boolean; error?: string }
}

export interface CaptureProps {
  values: Record<string, unknown>
  errors: Record<string, string[]>
  warnings: Record<string, string[]>
  fieldsMetadata: Record<string, FieldMetadata>
  formSubmitted: boolean
  viewMode: boolean
  orgUnitId?: string
  setFieldValue: (given: SetFieldValue) => void
}

export type FieldValue = string | { date: string; time?: string }
