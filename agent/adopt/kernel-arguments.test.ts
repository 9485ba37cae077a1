import { expect, test } from 'vitest'
import { kernelWords } from '../container-snap/boot/grub-script.ts'
import { notForGrub } from './kernel-arguments.ts'

test.each([
  ['console=ttyS0', true],
  ['video="a"', true],
  ["video='a'", false],
  [String.raw`console=tty\S0`, false],
  ['video="a', false],
  ['video=a"b"c"', false],
])('%s is refused for GRUB exactly where container-snap refuses it', (word, isTaken) => {
  expect(notForGrub([word, 'nomodeset'])).toEqual(isTaken ? [] : [word])
  const write = (): unknown => kernelWords(`${word} nomodeset`)
  if (isTaken) expect(write).not.toThrow()
  else expect(write).toThrow('GRUB cannot pass on')
})
