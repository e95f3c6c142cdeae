import '@fontsource-variable/noto-sans/wght.css'
import '@fontsource/noto-sans-sinhala/400.css'
import '@fontsource/noto-sans-sinhala/600.css'
import '@fontsource/noto-sans-tamil/400.css'
import '@fontsource/noto-sans-tamil/600.css'
import './janani.scss'

// A form is sent once: the second press of a tired finger does nothing.
document.addEventListener('submit', (event) => {
  const form = event.target
  if (form.dataset.sent) {
    event.preventDefault()
    return
  }
  form.dataset.sent = 'yes'
  form.setAttribute('aria-busy', 'true')
})
// Coming back by the Back button, it may be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent
})
// The summary of what is wrong is read first.
document.querySelector('[data-focus]')?.focus()
