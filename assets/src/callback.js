// eSignet sends the person here. In a window of its own it hands the answer to the form that opened it; else it goes on.
const form = document.querySelector('form[data-answer]')
const opener = window.opener
if (opener && !opener.closed) {
  const values = Object.fromEntries(new FormData(form))
  try {
    opener.postMessage({ type: 'janani-identity', ...values }, window.location.origin)
  } catch {
    form.submit()
  }
} else {
  form.submit()
}
