command-admin = панель оператора
command-stats = цифры и график за сутки
command-queue = очередь: пауза, сброс, повтор
command-gpu = воркеры и видеокарты
command-llm = языковая модель: как отвечает
command-alerts = тревоги
command-log = кто что делал
command-user = карточка человека по номеру
command-maintenance = технический перерыв: on или off
command-reload = перечитать персонажей, воркфлоу и правила

maintenance = Сейчас идут технические работы. Всё, что написано, дождётся: ответ придёт сразу после них.
banned = Доступ закрыт. Вопросы об оплате: /paysupport, твои данные: /privacy.
database-away = 🔥 База данных не отвечает. Пока она не вернётся, никто не получит ответа.
database-back = ✓ База данных снова отвечает.

page-admin = ‹ Панель
page-stats = 📊 График
page-queue = 📋 Очередь
page-gpu = 🖥 Воркеры
page-llm = 🧠 Модель
page-alerts = 🔔 Тревоги
page-log = 📜 Журнал
admin-refresh = ⟳
admin-yes = Да, сделать
admin-sure = { $action }? { $target }
admin-done = Готово.
admin-done-before = Это уже сделано раньше.
admin-not-possible = Так не получится.
admin-commanded = Воркер сделает это через несколько секунд; что вышло, будет в /gpu.
admin-silenced = Час тишины. Само действие продолжается.
admin-retried = { $count ->
    [one] Снова в очереди: { $count } фото.
   *[other] Снова в очереди: { $count } фото.
}
admin-dropped = Сброшено фото: { $count }. Кто просил, узнает об этом.
admin-reloaded = Перечитано. Персонажей: { $personas }, правил: { $rules }. Воркеры подхватят через несколько секунд.
admin-reload-refused = Ничего не изменилось: { $why }
admin-maintenance-how = Напиши /maintenance on или /maintenance off.
admin-no-worker = Ни одного воркера.
admin-no-alerts = За сутки тревог не было.
admin-no-log = Пока ничего.
admin-no-person = Такого человека нет. Напиши /user и номер.
admin-stats-button = 📊 График
admin-is-usual = всё как обычно
admin-is-no-worker = 🔥 ни один воркер не здоров, фото ждут
admin-is-paused = ⏸ очередь на паузе
admin-is-draining = ⏏ новых фото не берём
admin-is-maintenance = 🔧 технический перерыв

act-pause = ⏸ Пауза
act-drain = ⏏ Не брать новых
act-resume = ▶ Продолжить
act-retry_failed = 🔁 Повторить неудачные
act-drop_waiting = 🗑 Сбросить ждущие
act-retry_photo = 🔁 Повторить
act-refund_photo = ↩ Вернуть фото
act-ban = 🚫 Закрыть доступ
act-unban = Открыть доступ
act-refund = ⭐ Вернуть звёзды
act-give_premium = ⭐ +30 дней
act-give_photos = 📷 +10 фото
act-restart_worker = 🔄 Перезапустить ComfyUI
act-free_worker = 🧹 Освободить память
act-ask_model = 💬 Пробный вопрос
act-maintenance_on = 🔧 Перерыв
act-maintenance_off = 🔧 Перерыв окончен
act-reload = 📂 Перечитать файлы

admin-model =
    { $model } · { $host }
    Состояние: { $state }
    Семейство { $family }, контекст { $context }, сцена как { $form }, не принимает: { $without }
    Последний ответ { $answered }, закончен: { $finish }, первые слова через { $first } с
    Токены: запросы { $prompt } ({ $cached } из кэша), ответы { $completion }
    Последняя ошибка: { $error }

admin-stats =
    { $state }

    Очередь: { $waiting } (премиум { $premium }), первое ждёт { $oldest } с, в работе { $hands }
    Фото: { $generation50 } с / { $generation95 } с (p50 / p95), ожидание { $wait } с / { $wait95 } с (среднее / p95)
    За час { $hour }, с полуночи UTC { $today }, сбоев { $errors }
    Языковая модель: { $model50 } с / { $model95 } с, сбоев { $modelerrors }
    Люди за сутки: { $people }, премиум { $ratio }, сегодня { $stars } ⭐
    Воркеры: работают { $well }, больны { $sick }, пропали { $silent }
    Необработанных сообщений: { $updates }
admin-usage = запросов { $calls }, токенов { $tokens }, голоса { $voice } с, картинок { $pictures }, цена { $cost }
admin-used = Языковая модель за сутки: { $usage }
admin-dearest = Больше всех: { $people }
admin-queue =
    { $state }

    Ждут: премиум { $premium }, обычные { $free }
    Первое ждёт { $oldest } с, в работе { $hands }

    Неудачи за последнее время:
    { $failed }

    Последние неудачные: { $photos }
admin-worker =
    🖥 { $name } { $throttled }
    { $state }
    { $backend } · { $gpu }: { $load }, { $temperature } °C, VRAM { $vram } ГиБ
    Модель { $model }, пачка { $batch }, { $seconds } с на фото{ $cost }, в работе { $hands }
    Рисует: { $renders }
    Диск свободен на { $disk }
    Ошибка: { $error }
    Команда: { $command }{ $notes }
admin-worker-foreign = { $count ->
    [one] { $count } чужой граф в его ComfyUI
    [few] { $count } чужих графа в его ComfyUI
   *[other] { $count } чужих графов в его ComfyUI
}
admin-worker-silent = ✗ молчит с { $seen }
admin-photo =
    Фото { $id }: { $status } { $premium }
    Человек { $person }, { $rule }: { $reason }
    { $workflow }, { $orientation }, пачка { $batch }, сходство лица { $likeness }
    Заказано { $queued }, секунды: { $stages }
    Попыток { $attempt }, неудач { $failures }, воркер { $worker }
    Ошибка: { $error }
    Журнал: { $trace }

    { $prompt }
admin-person =
    Человек { $id } ({ $locale })
    Премиум до { $premium }
    Фото за сутки { $today } из { $limit }, в запасе { $grants }
    Здесь с { $created }, был { $seen }
    Заблокировал бота: { $blocked }, доступ закрыт: { $banned }

    Платежи:
    { $payments }

    Языковая модель за сутки: { $usage }

    Фото: { $photos }

stage-wait = ожидание
stage-hand_over = передача
stage-render = рендер
stage-store = хранение
stage-send = отправка

alert-began =
    🔥 { $name }
    Сейчас { $value }, предел { $limit }. { $action }
alert-ended = ✓ Кончилось: { $name }. Длилось { $minutes } мин, хуже всего было { $worst }.
alert-silence = 🔕 На час
alert-investigation =
    Медленнее всего, секунды (p95): { $stages }
    Ошибки: { $errors }
alert-action-tell = Посмотри.
alert-action-scale_up = Запасные видеокарты, если они есть, берут фото.
alert-action-investigate = Смотри ниже.
alert-action-throttle = Делаю паузы между рендерами, пока не остынет.
alert-high_queue_depth = Длинная очередь
alert-high_latency = Фото делаются медленно, секунды
alert-gpu_overheating = Видеокарта перегрелась, °C
alert-nothing_delivered = Фото не доходят, секунды
alert-no_worker = Нет ни одного рабочего воркера
alert-worker_sick = ComfyUI не работает
alert-worker_lost = Воркер пропал
alert-many_failures = Много неудачных фото, доля
alert-overloaded = Фото не успевают: много заказов
alert-disk_full = Диск почти полон, доля свободного
alert-language_model_failing = Языковая модель сбоит
alert-language_model_refuses = Языковая модель нам отказывает
alert-payments_failing = Платежи не проходят
alert-update_put_away = Обновление несколько раз завершало бота и отложено

chart-photos = Фото за полчаса
chart-seconds = Секунды
chart-queue = Ждали видеокарту
chart-delivered = дошли
chart-failed = не вышли
chart-p50 = фото p50
chart-p95 = фото p95
chart-wait = ожидание p95

command-broadcast = сообщение всем
broadcast-how = Ответь командой /broadcast на сообщение, которое получат все, или напиши текст после команды.
broadcast-to = Так это увидят люди. Кому отправить?
broadcast-sure = { $audience }: { $count ->
    [one] { $count } человек
    [few] { $count } человека
   *[other] { $count } человек
  }. Отправляем?
broadcast-start = Отправить
broadcast-running = { $bar } { $sent } из { $total }, не дошло или неизвестно { $missed }
broadcast-stopped = Остановлено. Получили { $sent } из { $total }, не дошло или неизвестно { $missed }.
broadcast-done = Готово. Получили { $sent } из { $total }, не дошло или неизвестно { $missed }.
act-stop_broadcast = ⏹ Остановить
audience-all = Все
audience-active = Были за 30 дней
audience-premium = Премиум
audience-free = Бесплатные
audience-ru = По-русски
audience-en = По-английски
