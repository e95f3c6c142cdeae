// eSignet sends the person here. In a window of its own it hands the answer to the form that opened it; else it goes on.
const form = document.querySelector('form[data-answer]')
const opener = window.opener
if (opener && !opener.closed) {
  opener.postMessage({ type: 'janani-identity', ...Object.fromEntries(new FormData(form)) }, window.location.origin)
} else {
  form.submit()
}
