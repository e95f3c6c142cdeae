// Reads the code of a card by camera or from a picture, where the browser can; else the text field is enough.
const form = document.querySelector('form[data-card]')
const field = form.elements.qr
const video = form.querySelector('[data-card-video]')
const status = form.querySelector('[data-status]')

function say(text) {
  status.textContent = text
  status.hidden = false
}

async function found(detector, image) {
  const codes = await detector.detect(image)
  if (!codes.length) return false
  field.value = codes[0].rawValue
  form.submit()
  return true
}

async function look(detector) {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  } catch {
    say(form.dataset.textCamera)
    return
  }
  video.hidden = false
  await video.play()
  say(form.dataset.textLooking)
  while (!(await found(detector, video))) await new Promise((resolve) => setTimeout(resolve, 250))
  for (const track of video.srcObject.getTracks()) track.stop()
}

async function prepare() {
  if (!('BarcodeDetector' in window)) return
  if (!(await window.BarcodeDetector.getSupportedFormats()).includes('qr_code')) return
  const detector = new window.BarcodeDetector({ formats: ['qr_code'] })
  form.querySelector('[data-card-reader]').hidden = false
  form.querySelector('[data-card-camera]').addEventListener('click', () => look(detector))
  form.querySelector('[data-card-picture]').addEventListener('change', async (event) => {
    const [file] = event.target.files
    try {
      if (file && !(await found(detector, await createImageBitmap(file)))) say(form.dataset.textNone)
    } catch {
      say(form.dataset.textNone)
    }
  })
}

prepare()
