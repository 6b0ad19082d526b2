"""The four watchers see what happens to the objects they watch, and stop when told."""
import live_probe

live_probe.start()


class C:
    pass


watched = {'a': 1}
C().missing if hasattr(C(), 'missing') else None
live_probe.watch(watched, C)
live_probe.taken_log()
watched['b'] = 2
watched['a'] = 3
del watched['b']
watched.clear()
log = live_probe.taken_log()
assert log == ['dict Added b 2', 'dict Modified a 3', 'dict Deleted b -', 'dict Cleared - -'], log

C.attribute = 1
assert live_probe.taken_log() == ['type']

code = compile('def made(): pass\nmade.__defaults__ = (1,)\nmade.__kwdefaults__ = {}\nmade.__code__ = (lambda: 1).__code__', 'x', 'exec')
log = live_probe.taken_log()
assert 'code Create made' in log and 'code Create <module>' in log, log
exec(code, {})
log = live_probe.taken_log()
for event in ('Create', 'ModifyDefaults', 'ModifyKwdefaults', 'ModifyCode', 'Destroy'):
    assert f'function {event}' in log, (event, log)
del code
assert 'code Destroy <module>' in live_probe.taken_log()

live_probe.unwatch(watched)
watched['c'] = 1
C.attribute = 2
exec('def f(): pass')
assert live_probe.taken_log() == []
live_probe.watch(watched, C)
live_probe.unwatch(watched)
