import { describe, expect, test } from 'vitest'
import { parseMachine } from './machine.ts'

function loaderOf(loader: object): unknown {
  return parseMachine(JSON.stringify({ version: 1, loader, kernelArguments: [] }), 'machine.json').loader
}

describe('machine.json', () => {
  test('names GRUB’s folders, with three tries and a guard where nothing else is said', () => {
    const grub = { kind: 'grub', boot: '/boot', config: '/boot/grub' }
    expect(loaderOf(grub)).toEqual({ ...grub, tries: 3, unguarded: false })
    expect(loaderOf({ ...grub, tries: 9, unguarded: true })).toEqual({ ...grub, tries: 9, unguarded: true })
  })

  test.each([
    [{ kind: 'grub', config: '/boot/grub' }, 'loader.boot is not an absolute path'],
    [{ kind: 'grub', boot: '/boot', config: 'grub' }, 'loader.config is not an absolute path'],
    [{ kind: 'grub', boot: '/boot', config: '/grub', tries: 10 }, 'loader.tries is not a number from 1 to 9'],
    [
      { kind: 'grub', boot: '/boot', config: '/grub', unguarded: 'yes' },
      'loader.unguarded is neither true nor false',
    ],
    [{ kind: 'systemd-boot', esp: 'efi' }, 'loader.esp is not an absolute path'],
    [{ kind: 'systemd-boot', esp: '/efi', tries: 1.5 }, 'loader.tries is not a number from 1 to 9'],
    [{ kind: 'lilo' }, 'loader.kind "lilo" is none of none, systemd-boot, grub, tukit-grub2'],
  ])('with %j is refused, for a guessed loader is worse than none', (loader, message) => {
    expect(() => loaderOf(loader)).toThrow(`read machine.json: ${message}; see container-snap's reference`)
  })
})
