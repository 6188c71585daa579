# Everything the bot itself says in Russian. The personas' own words come from the language model.
hello =
    Привет, { $name }! Это Vitte: здесь можно разговаривать с персонажем, и время от времени он присылает фото.
    Все персонажи вымышленные и совершеннолетние. Тебе уже есть 18?
age-yes = Мне есть 18
age-no = Нет
age-thanks = Спасибо! С кем хочешь поговорить?
age-refused = Тогда нам пока не по пути. Возвращайся, когда исполнится 18: напиши /start.
age-first = Сначала подтверди, что тебе есть 18.
gallery = С кем хочешь поговорить?
gallery-person = { $name }, { $age }. { $about }
stories = Какую историю выберем?
stories-first = Сначала выбери, с кем говорить.
story-begins = Новая история: «{ $title }».
reset-done = Начинаем с чистого листа: { $name } ничего не помнит.
reset-nothing = Пока нечего забывать. Выбери, с кем говорить.
help =
    Просто пиши, как живому человеку. Фото приходят сами, когда подходит момент, или по просьбе.

    /photo — попросить фото, можно с пожеланием: /photo у окна с чашкой кофе
    /persona — выбрать другого собеседника
    /story — сменить историю
    /settings — как часто приходят фото
    /reset — начать разговор заново
    /help — эта подсказка
unknown-command = Такой команды я не знаю. Вот что есть: /help
only-text = Пока я понимаю только текст. Расскажи словами?
stale-button = Эта кнопка уже не действует.
model-down = Не получается ответить прямо сейчас: что-то со связью. Твоё сообщение сохранено, напиши мне ещё раз чуть позже.
went-wrong = Что-то пошло не так, и ответа не получилось. Попробуй, пожалуйста, ещё раз.
photo-unconfirmed = Кажется, фото потерялось по дороге. Если его нет выше, отправлю ещё раз.
photo-send-again = Отправить ещё раз
photo-sending-again = Отправляю ещё раз
photo-queue-full = Сейчас очередь на фото примерно на { $wait }, и новые в неё не помещаются. Попроси, пожалуйста, чуть позже.
photo-queue-full-unknown = Фотографии сейчас не получаются. Попроси, пожалуйста, чуть позже.
photo-wait = Фото будет примерно через { $wait }.
photo-delayed = Фото немного задержится: пришлю, как только получится.
photo-too-late = Фото так и не успело, прости: слишком большая очередь. Попробуем ещё раз?
# In the accusative, after "через" and "на".
wait-seconds = { $seconds } { $seconds ->
    [one] секунду
    [few] секунды
   *[other] секунд
    }
wait-minutes = { $minutes } { $minutes ->
    [one] минуту
    [few] минуты
   *[other] минут
    }
photo-already-waiting = Твоё фото уже в очереди, подожди немного.
command-photo = попросить фото
command-persona = выбрать собеседника
command-story = сменить историю
command-reset = начать заново
command-help = что я умею
photo-another = 🔄 Ещё раз
photo-another-coming = Секунду, будет другой кадр.
photo-liked = Приятно, что нравится!
photo-disliked = Учту, в следующий раз будет лучше.
photo-promise-taken-back = На этот раз без фото, но я рядом.
photo-not-this-moment = Этот момент не для фото. Попробуем другой?
photo-switched-off = Фото для тебя выключены. Включить снова: /settings
photo-limit = Фото пока закончились: за сутки можно { $count }. Следующее примерно через { $wait }.
photo-limit-none = Фото пока нет, прости.
# In the accusative, after "через".
wait-hours = { $hours } { $hours ->
    [one] час
    [few] часа
   *[other] часов
    }
policy-minors = Нет. Здесь все взрослые, и так останется. Давай о другом.
policy-real_person = Картинок с настоящими людьми я не делаю. Может, на фото буду я?
policy-explicit = Так далеко в фото я не захожу. Может, что-нибудь поскромнее?
policy-answer = Давай сменим тему.
settings = Как часто присылать фото?
settings-saved = Фото: { $frequency }
frequency-often = часто
frequency-normal = обычно
frequency-rarely = редко
frequency-asked = только когда попрошу
frequency-never = никогда
command-settings = как часто приходят фото
why = Фото { $id }: { $status }
    Правило: { $rule }. { $reason }
    Workflow: { $workflow }, { $orientation }
    Промпт: { $prompt }
why-how = Ответь командой /why на фото или напиши /why и номер.
why-unknown = Такого фото нет.
# Goes to the language model as the person's words when /photo is used.
photo-wish = Пришли мне фото. { $wish }
