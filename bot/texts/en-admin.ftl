command-admin = the operator's panel
command-stats = figures, and a chart of the last day
command-queue = the queue: pause, drop, retry
command-gpu = workers and cards
command-llm = language model: how it answers
command-alerts = alerts
command-log = who did what
command-user = a person's card by number
command-maintenance = maintenance: on or off
command-reload = read personas, workflows and rules again

maintenance = There's a short break for maintenance. What you write is kept, and answered right after it.
banned = Your access is closed. About payments: /paysupport, your data: /privacy.
database-away = 🔥 The database does not answer. Until it is back nobody gets an answer.
database-back = ✓ The database answers again.

page-admin = ‹ Panel
page-stats = 📊 Chart
page-queue = 📋 Queue
page-gpu = 🖥 Workers
page-llm = 🧠 Model
page-alerts = 🔔 Alerts
page-log = 📜 Log
admin-refresh = ⟳
admin-yes = Yes, do it
admin-sure = { $action }? { $target }
admin-done = Done.
admin-done-before = That was done before.
admin-not-possible = That is not possible.
admin-commanded = The worker will do it within seconds; /gpu tells what came of it.
admin-silenced = An hour of silence. The action itself goes on.
admin-retried = { $count ->
    [one] In the queue again: { $count } photo.
   *[other] In the queue again: { $count } photos.
}
admin-dropped = Photos dropped: { $count }. Those who asked for one are told.
admin-reloaded = Read again. Personas: { $personas }, rules: { $rules }. The workers follow within seconds.
admin-reload-refused = Nothing has changed: { $why }
admin-maintenance-how = Write /maintenance on or /maintenance off.
admin-no-worker = There is no worker.
admin-no-alerts = No alerts in the last day.
admin-no-log = Nothing yet.
admin-no-person = There is no such person. Write /user and a number.
admin-stats-button = 📊 Chart
admin-is-usual = all as usual
admin-is-no-worker = 🔥 no worker is well, photos wait
admin-is-paused = ⏸ the queue is paused
admin-is-draining = ⏏ no new photos are taken
admin-is-maintenance = 🔧 maintenance

act-pause = ⏸ Pause
act-drain = ⏏ Take no new ones
act-resume = ▶ Go on
act-retry_failed = 🔁 Retry failed
act-drop_waiting = 🗑 Drop waiting
act-retry_photo = 🔁 Retry
act-refund_photo = ↩ Give a photo back
act-ban = 🚫 Close access
act-unban = Open access
act-refund = ⭐ Refund the Stars
act-give_premium = ⭐ +30 days
act-give_photos = 📷 +10 photos
act-restart_worker = 🔄 Restart ComfyUI
act-free_worker = 🧹 Free memory
act-ask_model = 💬 Ask a test question
act-maintenance_on = 🔧 Maintenance
act-maintenance_off = 🔧 End maintenance
act-reload = 📂 Read files again

admin-model =
    { $model } · { $host }
    State: { $state }
    Family { $family }, context { $context }, scene as { $form }, not taken: { $without }
    Last answer { $answered }, ended by { $finish }, first words after { $first } s
    Tokens: prompt { $prompt } ({ $cached } from cache), answers { $completion }
    Last error: { $error }

admin-stats =
    { $state }

    Queue: { $waiting } (premium { $premium }), the first has waited { $oldest } s, in hand { $hands }
    Photos: { $generation50 } s / { $generation95 } s (p50 / p95), wait { $wait } s / { $wait95 } s (mean / p95)
    Last hour { $hour }, since midnight UTC { $today }, failed { $errors }
    Language model: { $model50 } s / { $model95 } s, errors { $modelerrors }
    People in a day: { $people }, premium { $ratio }, today { $stars } ⭐
    Workers: well { $well }, sick { $sick }, lost { $silent }
    Messages not handled yet: { $updates }
admin-usage = calls { $calls }, tokens { $tokens }, voice { $voice } s, pictures { $pictures }, cost { $cost }
admin-used = Language model in 24 hours: { $usage }
admin-dearest = Most of it: { $people }
admin-queue =
    { $state }

    Waiting: premium { $premium }, free { $free }
    The first has waited { $oldest } s, in hand { $hands }

    What failed of late:
    { $failed }

    The last that failed: { $photos }
admin-worker =
    🖥 { $name } { $throttled }
    { $state }
    { $backend } · { $gpu }: { $load }, { $temperature } °C, VRAM { $vram } GiB
    Model { $model }, batch { $batch }, { $seconds } s a photo{ $cost }, in hand { $hands }
    Renders: { $renders }
    Disk free: { $disk }
    Error: { $error }
    Command: { $command }{ $notes }
admin-worker-foreign = { $count ->
    [one] { $count } graph in its ComfyUI is not ours
   *[other] { $count } graphs in its ComfyUI are not ours
}
admin-worker-silent = ✗ silent since { $seen }
admin-photo =
    Photo { $id }: { $status } { $premium }
    Person { $person }, { $rule }: { $reason }
    { $workflow }, { $orientation }, batch { $batch }, face like hers { $likeness }
    Ordered { $queued }, seconds: { $stages }
    Attempts { $attempt }, failures { $failures }, worker { $worker }
    Error: { $error }
    Log: { $trace }

    { $prompt }
admin-person =
    Person { $id } ({ $locale })
    Premium until { $premium }
    Photos in a day { $today } of { $limit }, beyond that { $grants }
    Here since { $created }, seen { $seen }
    Blocked the bot: { $blocked }, access closed: { $banned }

    Payments:
    { $payments }

    Language model in 24 hours: { $usage }

    Photos: { $photos }

stage-wait = wait
stage-hand_over = hand-over
stage-render = render
stage-store = store
stage-send = send

alert-began =
    🔥 { $name }
    Now { $value }, limit { $limit }. { $action }
alert-ended = ✓ Over: { $name }. It lasted { $minutes } min, at worst { $worst }.
alert-silence = 🔕 For an hour
alert-investigation =
    Slowest stages, seconds (p95): { $stages }
    Errors: { $errors }
alert-action-tell = Have a look.
alert-action-scale_up = Spare GPUs, if there are any, take photos.
alert-action-investigate = See below.
alert-action-throttle = Pausing between renders until it has cooled down.
alert-high_queue_depth = The queue is long
alert-high_latency = Photos are slow, seconds
alert-gpu_overheating = The card is too hot, °C
alert-nothing_delivered = No photo arrives, seconds
alert-no_worker = There is no working worker
alert-worker_sick = ComfyUI does not work
alert-worker_lost = A worker is gone
alert-many_failures = Many photos fail, share
alert-overloaded = Too many photos: orders end without their turn
alert-disk_full = The disk is nearly full, free share
alert-language_model_failing = The language model fails
alert-language_model_refuses = The language model refuses us
alert-payments_failing = Payments do not go through
alert-update_put_away = An update ended the bot again and again and was put away

chart-photos = Photos per half hour
chart-seconds = Seconds
chart-queue = Waiting for a GPU
chart-delivered = delivered
chart-failed = failed
chart-p50 = photo p50
chart-p95 = photo p95
chart-wait = wait p95

command-broadcast = a message to everybody
broadcast-how = Reply with /broadcast to the message that everybody shall get, or write the text after the command.
broadcast-to = That is what people will see. Who shall get it?
broadcast-sure = { $audience }: { $count ->
    [one] { $count } person
   *[other] { $count } people
  }. Send it?
broadcast-start = Send
broadcast-running = { $bar } { $sent } of { $total }, not reached or not known { $missed }
broadcast-stopped = Stopped. { $sent } of { $total } got it, not reached or not known { $missed }.
broadcast-done = Done. { $sent } of { $total } got it, not reached or not known { $missed }.
act-stop_broadcast = ⏹ Stop
audience-all = Everybody
audience-active = Here within 30 days
audience-premium = Premium
audience-free = Free
audience-ru = Russian
audience-en = English
