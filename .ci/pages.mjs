// Looks at the status pages in Chromium.
//
//   node .ci/pages.mjs MODULES PAGES CHROMIUM    MODULES has playwright-core and axe-core in its node_modules, PAGES the files that
//                                                the test of package page has written, and their policy
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'

const [, , modules, folder, executablePath] = process.argv
const require = createRequire(`${modules}/`)
const { chromium } = require('playwright-core')
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')
const policy = readFileSync(`${folder}/policy`, 'utf8')
const names = readdirSync(folder).filter(name => name.endsWith('.html')).map(name => name.slice(0, -5))
const wrong = []
const say = (...parts) => wrong.push(parts.join(': '))

// The server serves the page of a state as the program does. behind is the state of the address /.
let behind = 'healthy'
let hits = 0
const server = createServer((request, response) => {
  const name = request.url === '/' ? behind : request.url.slice(1)
  if (request.url === '/') hits++
  if (!names.includes(name)) { response.writeHead(404); response.end(); return }
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' })
  response.end(readFileSync(`${folder}/${name}.html`))
})
await new Promise(done => server.listen(0, '127.0.0.1', done))
const origin = `http://127.0.0.1:${server.address().port}`
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })

// open opens a page, and notes each error and each request to another place.
async function open(path, options) {
  const page = await browser.newPage(options)
  page.on('console', message => { if (message.type() === 'error') say(path, message.text()) })
  page.on('pageerror', error => say(path, String(error)))
  page.on('request', request => { if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) say(path, 'asks for ' + request.url()) })
  return page
}

let runs = 0
for (const name of names) {
  for (const [width, colorScheme] of [[390, 'light'], [390, 'dark'], [820, 'dark'], [1440, 'light']]) {
    const page = await open(name, { viewport: { width, height: 900 }, colorScheme, bypassCSP: false })
    await page.goto(`${origin}/${name}`)
    await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true }))
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    if (wider > 0) say(name, width, `${wider} pixels wider than the screen`)
    await page.evaluate(axe)
    const result = await page.evaluate(() => window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
    for (const v of result.violations) say(name, width, colorScheme, v.id, v.nodes[0].html.slice(0, 100))
    runs++
    await page.close()
  }
}

// until asks the page until the answer is true. It polls from here: the page's own clock stands still.
async function until(page, question, complaint) {
  for (const end = Date.now() + 20000; Date.now() < end;) {
    if (await page.evaluate(question)) return
    await new Promise(done => setTimeout(done, 100))
  }
  say('/', complaint)
}

// The page renews itself and keeps its state; it tells of a new verdict; and when the server is gone, it says so.
const page = await open('/', { viewport: { width: 1440, height: 900 } })
await page.clock.install({ time: new Date('2026-03-12T09:41:07Z') })
await page.goto(`${origin}/`)
const answered = async () => { // one look of the page, and its answer
  const before = hits
  const answer = page.waitForResponse(`${origin}/`)
  await page.clock.runFor(31000)
  await (await answer).finished()
  return hits - before
}
await page.locator('#d-cal summary').click()
const cals = page.locator('#cals')
if (await cals.count() === 0) {
  say('/', 'arrow keys: there is no calendar to focus')
} else {
  await cals.focus()
  await page.keyboard.press('ArrowLeft')
  if (!/^\w{3} \d{4}-\d\d-\d\d: /.test(await page.locator('#day').textContent())) say('/', 'arrow keys: no day is read out')
}
if (await answered() < 1) say('/', 'it does not renew itself')
await until(page, () => document.querySelector('#d-cal').open, 'an open table is closed')
behind = 'stopped'
await answered()
await until(page, () => document.title.startsWith('STOPPED') && document.querySelector('#say').textContent !== '', 'it does not tell the new verdict')
const before = wrong.length
server.closeAllConnections()
await new Promise(done => server.close(done))
for (let i = 0; i < 5; i++) await page.clock.runFor(31000)
await until(page, () => !document.querySelector('.stale').hidden && document.title.startsWith('?'), 'it does not say that it is old')
wrong.splice(before, wrong.length - before, ...wrong.slice(before).filter(text => !text.includes('ERR_CONNECTION_REFUSED')))
await browser.close()

console.log(`${runs} pages looked at`)
for (const text of new Set(wrong)) console.log(text)
process.exit(wrong.length > 0 ? 1 : 0)
